"""Every pattern of feedback, right and wrong, and what comes of it in files."""

from pathlib import Path
from typing import Any

import pytest

from loramake.config import resolve
from loramake.errors import ConfigError
from loramake.feedback import read_feedback
from loramake.review.changes import (
    Change,
    FeedbackContext,
    check_changes,
    describe_step,
    first_rule,
    parse_feedback,
    save_feedback,
    split_names,
)

FEATURES = ["Age", "Sex", "Name, first", "a,b", "it's", 'say "x"', "drop features"]
KNOWN = FeedbackContext(FEATURES, ["0", "1"], reads_notes=False)
RATIOS = {"calibration_ratio": 0.15, "validation_ratio": 0.0, "test_ratio": 0.2}
SETTINGS = [
    ("lora_rank", "32", "0", 32),
    ("lora_alpha", "64", "1.5", 64),
    ("lora_dropout", "0.1", "1", 0.1),
    ("lora_target", "q_proj,v_proj", "", "q_proj,v_proj"),
    ("use_dora", "true", "perhaps", True),
    ("num_train_epochs", "5", "0", 5),
    ("learning_rate", "1e-4", "-1", 1e-4),
    ("lr_scheduler_type", "linear", "", "linear"),
    ("warmup_ratio", "0.05", "1", 0.05),
    ("per_device_train_batch_size", "4", "0", 4),
    ("gradient_accumulation_steps", "4", "none", 4),
    ("save_steps", "50", "0", 50),
    ("save_total_limit", "3", "many", 3),
    ("logging_steps", "5", "0.5", 5),
    ("cutoff_len", "1024", "4", 1024),
    ("flash_attn", "fa2", "fa3", "fa2"),
    ("quantization_bit", "4", "5", 4),
]
"""Settings that feedback can change: a right value, a wrong one, and how the right one is read."""


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("drop features: Age, Sex", [("plan", "drop", ["Age", "Sex"])]),
        ("Drop feature Age", [("plan", "drop", ["Age"])]),
        ('drop features: "Name, first", Age', [("plan", "drop", ["Name, first", "Age"])]),
        ("drop features: Age, Name, first, a,b", [("plan", "drop", ["Age", "Name, first", "a,b"])]),
        ("drop features: 'Age', it's", [("plan", "drop", ["Age", "it's"])]),
        ("drop features: drop features", [("plan", "drop", ["drop features"])]),
        ("add features: Sex", [("plan", "keep", ["Sex"])]),
        ("keep only features: Age", [("plan", "only", ["Age"])]),
        ("use undersample", [("balance", "balance", "undersample")]),
        ("use oversample", [("balance", "balance", "oversample")]),
        ("balance_strategy: none", [("balance", "balance", "none")]),
        ("test_ratio: 0.3", [("splits", "test_ratio", 0.3)]),
        ("change target mapping: 0: No, 1: Yes", [("plan", "labels", {"0": "No", "1": "Yes"})]),
        ('change target mapping: 1: "yes, ill"', [("plan", "labels", {"1": "yes, ill"})]),
        ("change instruction to: Is she ill: yes, no?", [("plan", "instruction", "Is she ill: yes, no?")]),
        ("lora_rank: 32, num_train_epochs: 5", [("config", "lora_rank", 32), ("config", "num_train_epochs", 5)]),
        (
            "num_train_epochs: {min_epochs: 4, min_steps: 9}",
            [("config", "num_train_epochs", {"min_epochs": 4, "min_steps": 9})],
        ),
        ('{"extra_training_args": {"x": 5}}', [("config", "extra_training_args", {"x": 5})]),
        ("learning_rate: 1e-4", [("config", "learning_rate", 1e-4)]),
        ("bf16: true", [("config", "precision", "bf16")]),
        ("fp16: false", [("config", "precision", "fp32")]),
        ("val_size: 0.1", [("splits", "validation_ratio", 0.1)]),
        ("template: qwen, cutoff_len: 512", [("config", "template", "qwen"), ("config", "cutoff_len", 512)]),
        ("save_strategy: no", [("config", "extra_training_args", {"save_strategy": "no"})]),
        ("gpus: 2", [("config", "gpus", 2)]),
        ("eval_steps: 50", [("config", "extra_training_args", {"eval_steps": 50})]),
        ("plot_loss: yes", [("config", "extra_training_args", {"plot_loss": True})]),
        ("report_to: tensorboard", [("config", "extra_training_args", {"report_to": "tensorboard"})]),
        ("ddp_timeout: 9", [("config", "extra_training_args", {"ddp_timeout": 9})]),
        ("per_device_eval_batch_size: 4", [("config", "extra_training_args", {"per_device_eval_batch_size": 4})]),
        ("preprocessing_num_workers: 2", [("config", "extra_training_args", {"preprocessing_num_workers": 2})]),
        ("lora_target: q,v, lora_rank: 8", [("config", "lora_target", "q,v"), ("config", "lora_rank", 8)]),
        ("drop features: Age\nuse oversample", [("plan", "drop", ["Age"]), ("balance", "balance", "oversample")]),
        ('{"drop_features": ["Age"], "lora_rank": 8}', [("plan", "drop", ["Age"]), ("config", "lora_rank", 8)]),
        ("drop:\n- Age\n- a,b\ntest_ratio: 0.1", [("plan", "drop", ["Age", "a,b"]), ("splits", "test_ratio", 0.1)]),
        ("target_mapping:\n  0: No\n  1: Yes it is", [("plan", "labels", {"0": "No", "1": "Yes it is"})]),
        ("drop features: Agee", r"'Agee' is not a feature \(did you mean Age\?\)"),
        ("drop features:", "no feature is named"),
        ("use oversampling", r"oversampling is not a strategy: .* \(did you mean oversample\?\)"),
        ("balance_strategy: both", "both is not a strategy"),
        ("test_ratio: 2", "test_ratio: 2 is not a number above 0 and below 1"),
        ("test_ratio: many", "test_ratio: 'many' is not a number above 0 and below 1"),
        ("lora_rnk: 32", r"lora_rnk is not something feedback can change \(did you mean lora_rank\?\)"),
        ("csv: other.csv", "csv is not something feedback can change"),
        ("change target mapping: 2: Maybe", "'2' is not a label"),
        ("change target mapping: 0:", "the label '0' has no text"),
        ('{"drop_features": ["Age"', "that is not valid YAML or JSON: line 1"),
        ("change target mapping: 0: Yes, 1: Yes", "two labels would have the same text 'Yes'"),
        ("learning_rate: nan", "learning_rate: 'nan' is not a number above 0"),
        ("bf16: perhaps", "bf16: perhaps is neither true nor false"),
        ("eval_steps: often", "eval_steps: 'often' is not a whole number"),
        ("save_strategy: never", "save_strategy: 'never' is not one of"),
        ("evl_steps: 5", r"evl_steps is not something feedback can change \(did you mean eval_steps\?\)"),
        ("please make it better", "the built-in agent cannot read 'please make it better'"),
        ("drop_features: [Age, 'a,b']", [("plan", "drop", ["Age", "a,b"])]),
        ("add features: [Sex]", [("plan", "keep", ["Sex"])]),
        ("add features: Sx", r"'Sx' is not a feature \(did you mean Sex\?\)"),
        ("keep only features: Age, Sx", r"'Sx' is not a feature \(did you mean Sex\?\)"),
        ("target_mapping: {0: No, 1: Yes}", [("plan", "labels", {"0": "No", "1": "Yes"})]),
        ("change target mapping: 0: No, 2: Yes", "'2' is not a label"),
        ("balance_strategy: None", [("balance", "balance", "none")]),
        ("change instruction to:", "the built-in agent cannot read"),
        ("max_error: 0.05", "max_error is now called max_selective_error: set it in config.yaml, since"),
        ("num_train_epochs: {least: 4, steps: 9}", "num_train_epochs: least is now called min_epochs: rename it"),
        ("epochs: 5", r"epochs is not something feedback can change \(did you mean num_train_epochs\?\)"),
        *[(f"{key}: {right}", [("config", key, read)]) for key, right, _, read in SETTINGS],
        *[(f"{key}: {wrong}", f"{key}: ") for key, _, wrong, _ in SETTINGS],
    ],
)  # fmt: skip
def test_what_is_written_is_understood_or_refused_with_what_is_near(
    text: str, outcome: str | list[tuple[str, str, Any]]
) -> None:
    if isinstance(outcome, str):
        with pytest.raises(ConfigError, match=outcome):
            parse_feedback(text, KNOWN)
    else:
        assert parse_feedback(text, KNOWN) == [Change(*change) for change in outcome]


def test_free_text_is_a_note_for_an_agent_that_reads_it() -> None:
    reader = FeedbackContext(FEATURES, ["0", "1"], reads_notes=True)
    assert parse_feedback("mind the ages", reader) == [Change("plan", "notes", ["mind the ages"])]


def test_names_with_commas_are_whole_where_they_are_known() -> None:
    assert split_names("a,b, Name, first , Sex", FEATURES) == ["a,b", "Name, first", "Sex"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("lora_rank: 8", "generate_lmf_config"),
        ("template: qwen, lora_rank: 8", "verify_prepared_data"),
        ("use oversample\nlora_rank: 8", "write_balance_code"),
        ("drop features: Age\ntest_ratio: 0.3", "assign_splits"),
    ],
)
def test_a_run_goes_on_from_the_first_rule_that_is_spoken_to(text: str, rule: str) -> None:
    assert first_rule(parse_feedback(text, KNOWN)) == rule


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("template: qwen9", r"no template 'qwen9' \(did you mean qwen"),
        ("lr_scheduler_type: cosin", r"'cosin' is not one of .* \(did you mean cosine\?\)"),
        ("eval_steps: 5", "eval_steps needs validation rows: set validation_ratio"),
        ("eval_steps: 5, val_size: 0", "eval_steps needs validation rows"),
        ("eval_steps: 5, val_size: 0.1", None),
        ("template: qwen, lr_scheduler_type: linear", None),
    ],
)
def test_what_llamafactory_would_refuse_is_refused_before_it_is_saved(
    text: str, sentence: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enum = {"lr_scheduler_type": {"schema": {"enum": ["linear", "cosine"]}, "model": False}}
    names = {"templates": ["qwen"], "arguments": {**enum, "eval_steps": {"schema": {"type": "number"}, "model": False}}}
    monkeypatch.setattr("loramake.llm.arguments.read_names", lambda _: names)
    monkeypatch.chdir(tmp_path)
    changes = parse_feedback(text, KNOWN)
    if sentence is None:
        check_changes(changes, tmp_path, KNOWN, RATIOS)
        return
    with pytest.raises(ConfigError, match=sentence):
        check_changes(changes, tmp_path, KNOWN, RATIOS)


@pytest.mark.parametrize(
    ("before", "text", "sentence"),
    [
        ("", "test_ratio: 0.99", "validation_ratio, test_ratio add up to 1.14, which leaves no row to train on"),
        ("test_ratio: 0.6", "calibration_ratio: 0.4", "add up to 1, which leaves no row to train on"),
        ("test_ratio: 0.6", "calibration_ratio: 0.2", None),
        ("drop features: Age", "drop features: Sex", "no feature is left"),
        ("drop features: Age", "drop features: Sex\nadd features: it's", None),
        ("", "keep only features: Age\ndrop features: Age", "no feature is left"),
        ("change target mapping: 0: yes", "change target mapping: 1: yes", "two labels would have the same text 'yes'"),
    ],
)
def test_changes_are_checked_with_what_the_files_already_say(
    before: str, text: str, sentence: str | None, tmp_path: Path
) -> None:
    known = FeedbackContext(FEATURES, ["0", "1"], reads_notes=False, kept=["Age", "Sex"])
    save_feedback(parse_feedback(before, known), tmp_path)
    changes = parse_feedback(text, known)
    if sentence is None:
        check_changes(changes, tmp_path, known, RATIOS)
        return
    with pytest.raises(ConfigError, match=sentence):
        check_changes(changes, tmp_path, known, RATIOS)


def test_the_share_of_test_rows_does_not_count_with_a_test_table(tmp_path: Path) -> None:
    ratios = {key: RATIOS[key] for key in ("calibration_ratio", "validation_ratio")}
    check_changes(parse_feedback("test_ratio: 0.99", KNOWN), tmp_path, KNOWN, ratios)


def test_a_file_says_what_it_may_hold_and_keeps_a_persons_own_comments(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("# the ward asked for this\ndrop: [Age]\n")
    for text in ("drop features: Sex", "drop features: it's"):
        save_feedback(parse_feedback(text, KNOWN), tmp_path)
    lines = path.read_text().splitlines()
    assert lines.count("# the ward asked for this") == 1
    assert lines.count("#   drop: [columns]: leave these out") == 1
    assert read_feedback(path) == {"drop": ["Age", "Sex", "it's"]}
    for step, key in (("splits", "test_ratio"), ("balance", "balance"), ("config", "lora_rank")):
        assert any(line.startswith(f"#   {key}: ") for line in describe_step(step))


def test_files_hold_what_was_said_last(tmp_path: Path) -> None:
    for text in ("drop features: Age, Sex", "add features: Age", "lora_rank: 8", "lora_rank: 16, use_dora: true"):
        files = save_feedback(parse_feedback(text, KNOWN), tmp_path)
    assert files == [tmp_path / "config.yaml"]
    assert read_feedback(tmp_path / "plan.yaml") == {"drop": ["Sex"], "keep": ["Age"]}
    assert read_feedback(tmp_path / "config.yaml") == {"lora_rank": 16, "use_dora": True}


def test_arguments_of_llamafactory_are_added_to_those_that_were_asked_for(tmp_path: Path) -> None:
    for text in ("eval_steps: 50", "report_to: none, eval_steps: 20"):
        save_feedback(parse_feedback(text, KNOWN), tmp_path)
    arguments = {"eval_steps": 20, "report_to": "none"}
    assert read_feedback(tmp_path / "config.yaml") == {"extra_training_args": arguments}
    config = {"csv": "x.csv", "extra_training_args": {"max_grad_norm": 0.5, "eval_steps": 9}}
    settings = resolve(config, "exp", feedback={"extra_training_args": arguments})
    assert settings["extra_training_args"] == {"max_grad_norm": 0.5, **arguments}


def test_keeping_only_some_features_ends_what_was_dropped_and_added_of_them(tmp_path: Path) -> None:
    for text in ("drop features: Age, Sex", "add features: a,b", "keep only features: Age, a,b"):
        save_feedback(parse_feedback(text, KNOWN), tmp_path)
    assert read_feedback(tmp_path / "plan.yaml") == {"drop": ["Sex"], "only": ["Age", "a,b"]}
    for text in ("change target mapping: 0: No", "change target mapping: 1: Yes"):
        save_feedback(parse_feedback(text, KNOWN), tmp_path)
    assert read_feedback(tmp_path / "plan.yaml")["labels"] == {"0": "No", "1": "Yes"}
