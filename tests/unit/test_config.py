import datetime
import re
from pathlib import Path

import pytest
import yaml

from loramake.artifact_types.training import Processes
from loramake.artifacts import load_schema
from loramake.config import check_config, read_card, read_config, resolve
from loramake.errors import ConfigError, DataError
from loramake.feedback import name_feedback, read_feedback
from loramake.settings import RENAMED, coerce, defaults
from loramake.training.config import choose_save_steps, count_epochs
from tests.conftest import ROOT


def test_the_built_in_defaults_are_those_of_the_issue() -> None:
    wanted = {
        "csv": None, "target": None, "test_csv": None, "model": "models/tiny", "test_ratio": 0.2,
        "calibration_ratio": 0.15, "validation_ratio": 0, "seed": 42, "review": "ask", "agent": "builtin",
        "lora_rank": 64, "lora_alpha": 128, "lora_dropout": 0, "lora_target": "all", "use_dora": False,
        "additional_target": None, "cutoff_len": 2048,
        "num_train_epochs": 3.0, "learning_rate": 2.0e-5, "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8, "lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "logging_steps": 10,
        "save_steps": None, "save_total_limit": 2, "quantization_bit": None, "flash_attn": "auto", "precision": "auto",
    }  # fmt: skip
    assert {key: defaults()[key] for key in wanted} == wanted


def test_mappings_and_lists_of_the_command_line_are_read() -> None:
    told = {"costs": {"0": {"0": "0", "1": "2.5"}, "1": {"0": "5", "1": "0"}}, "audit_columns": "sex, age"}
    told |= {"requirements": {"min_accuracy": "0.8"}}
    check_config(told, "--config")
    settings = resolve({}, "e", {"csv": "a.csv", **told})
    assert settings["costs"] == {"0": {"0": 0, "1": 2.5}, "1": {"0": 5, "1": 0}}
    assert settings["audit_columns"] == ["sex", "age"]
    assert coerce("audit_columns", "[sex, 'age, in years']") == ["sex", "age, in years"]
    assert settings["requirements"] == {"min_accuracy": 0.8}


def test_a_misspelt_requirement_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"requirements: min_acuracy is not one of its keys \(did you mean min_accuracy\?\)"
    ):
        check_config({"requirements": {"min_acuracy": 0.8}})


@pytest.mark.parametrize("requirement", [{"min_accuracy": 80}, {"max_ece": -1}])
def test_a_requirement_that_no_share_can_reach_is_refused(requirement: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"requirements: (min_accuracy: 80|max_ece: -1) is not a number from 0 to 1"):
        check_config({"requirements": requirement})


@pytest.mark.parametrize(
    "setting",
    [
        {"conformal_confidence": float("nan")},
        {"max_selective_error": float("nan")},
        {"abstain_cost": float("inf")},
        {"requirements": {"min_accuracy": float("nan")}},
        {"requirements": "{min_accuracy: .nan}"},
        {"costs": {"a": {"a": 0, "b": float("inf")}, "b": {"a": 1, "b": 0}}},
    ],
)
def test_what_is_no_finite_number_is_refused_though_it_breaks_no_bound(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is not a finite number"):
        check_config(setting)


COSTS = {"a": {"a": 0, "b": 1}, "b": {"a": 1, "b": 0}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"abstain_cost": 1}, "abstain_cost: it is compared with the costs of decisions: set costs, too"),
        ({"costs": COSTS, "max_selective_error": 0.05}, "costs and max_selective_error: .* set abstain_cost, to 0"),
        ({"costs": COSTS, "max_selective_error": 0.05, "abstain_cost": 0}, None),
        ({"costs": COSTS}, None),
        ({"max_selective_error": 0.05}, None),
    ],
)
def test_what_asking_a_person_costs_is_set_where_it_counts_and_only_there(
    settings: dict[str, object], said: str | None
) -> None:
    if said is None:
        resolve({}, "e", {"csv": "a.csv", **settings})
        return
    with pytest.raises(ConfigError, match=said):
        resolve({}, "e", {"csv": "a.csv", **settings})


def test_config_yaml_explains_every_key_of_the_schema_with_its_default() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    check_config(yaml.safe_load(text))
    commented = dict(re.findall(r"^# (\w+): (.+?) +# \w.+$", text, re.M))
    schema = load_schema("config")["properties"]
    assert set(commented) == set(schema) - {"experiments", "extends"}
    for key, value in commented.items():
        default = schema[key]["default"]
        assert default in (None, coerce(key, yaml.safe_load(value))), key


def test_command_line_beats_feedback_beats_experiment_beats_top_level_beats_card_beats_default(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nloramake:\n  settings: {learning_rate: 0.1, lora_rank: 3}\n---\n", encoding="utf-8"
    )
    model = str(tmp_path)
    config: dict[str, object] = {"csv": "a.csv", "model": model, "experiments": {"e": {}}}
    assert resolve(config, "e")["learning_rate"] == 0.1
    config["learning_rate"] = 0.2
    assert resolve(config, "e")["learning_rate"] == 0.2
    config["experiments"] = {"e": {"learning_rate": 0.3}}
    assert resolve(config, "e")["learning_rate"] == 0.3
    assert resolve(config, "e", feedback={"learning_rate": 0.4})["learning_rate"] == 0.4
    assert resolve(config, "e", {"learning_rate": "5e-1"}, {"learning_rate": 0.4})["learning_rate"] == 0.5
    assert resolve(config, "e")["lora_rank"] == 3
    assert resolve(config, "e")["lora_alpha"] == 128


@pytest.mark.parametrize(
    ("setting", "gpus", "rows", "epochs"),
    [
        (3.0, 1, 64, 3),
        ({"min_epochs": 4, "min_steps": 150}, 1, 64, 19),
        ({"min_epochs": 4, "min_steps": 150}, 2, 64, 38),
        ("{min_epochs: 4, min_steps: 150}", 1, 597, 4),
        ("0.5", 1, 64, 0.5),
    ],
)
def test_epochs_are_a_number_or_enough_for_so_many_steps(setting: object, gpus: int, rows: int, epochs: float) -> None:
    settings = resolve({"csv": "a.csv", "num_train_epochs": setting, "per_device_train_batch_size": 4}, "e")
    processes: Processes = {"gpus": gpus, "nodes": 1}
    assert count_epochs({**settings, "gradient_accumulation_steps": 2}, processes, rows) == epochs


@pytest.mark.parametrize(("steps", "between"), [(1, 1), (4, 1), (60, 12), (84, 17), (2500, 500), (9000, 500)])
def test_a_short_training_has_checkpoints_too(steps: int, between: int) -> None:
    assert choose_save_steps(steps) == between


def test_an_experiment_inherits_through_extends() -> None:
    config = {
        "experiments": {"a": {"csv": "a.csv", "seed": 1}, "b": {"extends": "a", "seed": 2}, "c": {"extends": "b"}}
    }
    assert (resolve(config, "c")["csv"], resolve(config, "c")["seed"]) == ("a.csv", 2)
    with pytest.raises(ConfigError, match="circular"):
        resolve({"experiments": {"a": {"extends": "b"}, "b": {"extends": "a"}}}, "a")
    with pytest.raises(ConfigError, match=r"extends aa, which does not exist \(did you mean a\?\)"):
        resolve({"experiments": {"a": {"csv": "a.csv"}, "b": {"extends": "aa"}}}, "b")


def test_texts_of_the_command_line_become_booleans_numbers_and_none() -> None:
    settings = resolve(
        {},
        "e",
        {"csv": "a.csv", "use_dora": "true", "quantization_bit": "4", "learning_rate": "1e-4", "test_csv": "none"},
        {"extra_training_args": "{early_stopping_steps: 3, optim: adafactor}"},
    )
    assert settings["extra_training_args"] == {"early_stopping_steps": 3, "optim": "adafactor"}
    assert settings["use_dora"] is True
    assert settings["quantization_bit"] == 4
    assert settings["learning_rate"] == 1e-4
    assert settings["test_csv"] is None


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"learnig_rate": 1}, r"learnig_rate is not a setting \(did you mean learning_rate\?\)"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast' is not a number above 0"),
        ({"test_ratio": 1}, "test_ratio: 1 is not a number above 0 and below 1"),
        ({"use_dora": "maybe"}, "use_dora: 'maybe' is not true or false"),
        ({"quantization_bit": 5}, "quantization_bit: 5 is not one of 4, 8 and none"),
        ({"review": "maybe"}, "'maybe' is not one of ask, approve and file, or a mapping of data, balance, config"),
        ({"review": {"data": "maybe"}}, "review: data: 'maybe' is not one of ask, approve and file"),
        ({"review": {"dat": "ask"}}, "review: 'dat' is not one of its keys, data, balance and config"),
        ({"gpus": 0}, "gpus: 0 is not a whole number from 1 to 64"),
        ({"num_train_epochs": {"min_epochs": 1}}, "min_steps is missing: give min_epochs and min_steps"),
        ({"agent_prices": {"a": 1}}, "agent_prices: a is not one of its keys: input, output"),
        ({"costs": {"a": {"a": 1}}}, "which is less than 2"),
        ({"audit_columns": ["a", "a"]}, "audit_columns: .* contains an entry twice"),
        ({"column_types": {"zip": "foo"}}, "column_types: zip: 'foo' is not one of numeric, category"),
        ({"extra_training_args": "{max_steps"}, "extra_training_args: .* is not a mapping"),
        ({"experiments": {"a/b": {}}}, "'a/b'"),
        ({"experiments": {"..": {}}}, "experiment '..'"),
        ({"experiments": {"a": 3}}, "not settings below a name"),
        ({"experiments": {"a": {"experiments": {}}}}, "experiments is not a setting"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(config: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_config(config)


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_of_a_setting_is_refused_with_the_new_one_at_every_level(old: str) -> None:
    setting: dict[str, object] = {old: 0.5}
    if ": " in old:
        key, part = old.split(": ")
        setting = {key: {part: 4}}
    sentence = f"{old} is now called {RENAMED[old]}: rename it."
    for config, where in (
        (setting, "config.yaml"),
        ({"experiments": {"demo": setting}}, "config.yaml: experiments: demo"),
        ({"experiments": {"demo": None, "next": {"extends": "demo", **setting}}}, "config.yaml: experiments: next"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_config(config)
        assert str(caught.value) == f"{where}: {sentence}"
    with pytest.raises(ConfigError) as caught:
        check_config(
            {key: yaml.safe_dump(value, default_flow_style=True) for key, value in setting.items()}, "--config"
        )
    assert str(caught.value) == f"--config: {sentence}"


def test_every_new_name_is_a_setting_and_no_old_one_is() -> None:
    properties = load_schema("config")["properties"]
    known = {*properties, *(f"num_train_epochs: {part}" for part in properties["num_train_epochs"]["properties"])}
    new = {f"{old.rpartition(': ')[0]}: {name}".removeprefix(": ") for old, name in RENAMED.items()}
    assert new <= known
    assert not set(RENAMED) & known


def test_an_old_name_in_feedback_or_on_a_card_is_refused_with_the_new_one(tmp_path: Path) -> None:
    for name in ("explore", "splits", "plan", "balance", "config"):
        path = tmp_path / f"{name}.yaml"
        path.write_text("max_error: 0.05\n", encoding="utf-8")
        with pytest.raises(
            ConfigError, match=r"yaml: max_error is now called max_selective_error: set it in config\.yaml"
        ):
            read_feedback(path)
    path.write_text("num_train_epochs: {least: 1, steps: 9}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml: num_train_epochs: least is now called min_epochs: rename it"):
        read_feedback(path)
    card = "---\nloramake: {settings: {num_train_epochs: {min_epochs: 1, steps: 9}}}\n---\n"
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"README\.md: num_train_epochs: steps is now called min_steps: rename it"):
        read_card(str(tmp_path))


@pytest.mark.parametrize(
    "value", ["http://me:secret@host/v1", "host/v1?key=secret", ["http://secret@h"], {"secret": 1}, 3.5]
)
def test_an_address_with_a_key_is_refused_at_every_level_and_not_repeated(value: object) -> None:
    for config in ({"agent_api_base": value}, {"experiments": {"e": {"agent_api_base": value}}}):
        with pytest.raises(ConfigError, match=r"agent_api_base") as caught:
            check_config(config)
        assert "secret" not in str(caught.value)
    check_config({"agent_api_base": "none"})
    check_config({"agent_api_base": None})


def test_an_experiment_without_a_csv_says_how_to_give_one() -> None:
    with pytest.raises(ConfigError, match=r"--config csv=PATH"):
        resolve({}, "e")


def test_feedback_may_only_speak_of_its_own_step(tmp_path: Path) -> None:
    path = tmp_path / "splits.yaml"
    path.write_text("test_ratio: 0.3\nnotes: [fewer]\n", encoding="utf-8")
    assert read_feedback(path) == {"test_ratio": 0.3, "notes": ["fewer"]}
    path.write_text("learning_rate: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="learning_rate is not feedback for this step"):
        read_feedback(path)
    path.write_text("test_ratio: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"splits.yaml is not valid YAML"):
        read_feedback(path)


def test_a_model_without_a_card_brings_nothing(tmp_path: Path) -> None:
    assert read_card(str(tmp_path)) == {}
    (tmp_path / "README.md").write_text("# a model\n---\nno front matter\n---\n", encoding="utf-8")
    assert read_card(str(tmp_path)) == {}


@pytest.mark.parametrize(
    "costs", [{"a": {"b": 1}, 1: {}}, {0: {0: 0, "unknown": "x"}, "unknown": {0: 1, "unknown": "y"}}]
)
def test_keys_of_several_kinds_are_one_sentence(costs: dict[object, object]) -> None:
    with pytest.raises(ConfigError, match="costs: "):
        check_config({"costs": costs})


def test_an_experiment_that_is_there_as_a_number_and_as_a_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="experiments: 1 appears twice, as a number and as a string: rename one"):
        check_config({"experiments": {1: {"csv": "a.csv"}, "1": {"csv": "b.csv"}}})


NAMES = ["007", "1_000", "1e3", "true", "no", "2024-01-31", "0x1F", "1:30"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", ["{}", "experiments: {{e: {{{}}}}}"])
def test_a_column_in_the_configuration_is_the_text_that_the_file_has(tmp_path: Path, name: str, level: str) -> None:
    path = tmp_path / "config.yaml"
    written = f"target: {name}" if level == "{}" else f"target: {name}, audit_columns: [{name}, b], csv: a.csv"
    path.write_text(level.format(written), encoding="utf-8")
    settings = resolve(read_config(path), "e", {"csv": "a.csv"})
    assert settings["target"] == name
    assert settings["audit_columns"] == ([] if level == "{}" else [name, "b"])


def test_null_unsets_a_column_in_the_configuration_and_names_one_in_quotes_or_on_the_command_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("target: null\ngroup_column: 'null'\n", encoding="utf-8")
    settings = resolve(read_config(path), "e", {"csv": "a.csv"})
    assert (settings["target"], settings["group_column"]) == (None, "null")
    assert resolve({}, "e", {"csv": "a.csv", "target": "null"})["target"] == "null"
    assert resolve({"target": "a"}, "e", {"csv": "a.csv", "target": ""})["target"] is None


@pytest.mark.parametrize("name", NAMES)
def test_a_column_in_feedback_is_the_text_that_the_file_has(tmp_path: Path, name: str) -> None:
    path = tmp_path / "explore.yaml"
    path.write_text(f"target: {name}\n", encoding="utf-8")
    assert read_feedback(path)["target"] == name


@pytest.mark.parametrize("value", [True, datetime.date(2024, 1, 31)])
def test_a_column_that_another_reader_made_a_value_of_is_explained(value: object) -> None:
    with pytest.raises(ConfigError, match=r"target: (True|2024-01-31) is not text: write the column's name in quotes"):
        check_config({"target": value})


@pytest.mark.parametrize("key", ["csv", "test_csv"])
def test_a_path_may_begin_with_the_home_folder(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert resolve({}, "e", {"csv": "a.csv", key: "~/b.csv"})[key] == "/home/me/b.csv"


def test_an_error_names_the_feedback_without_which_there_is_none(tmp_path: Path) -> None:
    files = [tmp_path / "splits.yaml", tmp_path / "config.yaml"]
    files[0].write_text("test_ratio: 0.99\n", encoding="utf-8")

    def resolved(applies: bool, test_ratio: float = 0.2) -> object:
        return resolve({"csv": "a.csv", "test_ratio": test_ratio}, "e", {}, read_feedback(files[0]) if applies else {})

    with pytest.raises(ConfigError, match=rf"^{files[0]}: calibration_ratio, .* leaves no row to train on"):
        name_feedback(resolved, files)
    with pytest.raises(ConfigError, match=r"^calibration_ratio, .* leaves no row to train on"):
        name_feedback(lambda applies: resolved(applies, 0.9), files)

    def refuse(applies: bool) -> None:
        if applies:
            raise DataError("t.csv: target: 'b' is not a column.")

    with pytest.raises(DataError, match=rf"^{files[0]}: t\.csv: target"):
        name_feedback(refuse, files)
