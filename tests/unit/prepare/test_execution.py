"""The generated preparation code, run for real on real tables."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.agents.coding import check_functions
from loramake.errors import CodeError
from loramake.explore.splits import read_splits
from loramake.prepare.checks import check_behaviour, check_records
from loramake.prepare.execution import execute_prep_code
from loramake.tables.reading import read_table
from loramake.tables.source import sniff_source
from support.experiment import Experiment
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["heart", "diabetes", "titanic", "penguins"])
def test_every_row_becomes_a_record_that_passes_every_check(tmp_path: Path, name: str) -> None:
    experiment = Experiment(tmp_path, ROOT / f"data/{name}.csv")
    records = experiment.execute()
    assert len(records) == len(read_splits(experiment.splits))
    verification = experiment.verify()
    assert all(check["passed"] for check in verification["checks"])
    assert len(verification["checks"]) >= 7
    assert sum(sum(counts.values()) for counts in verification["classes"].values()) == len(records)
    assert verification["tokens"]["estimated"] is False


def test_the_test_tables_and_the_csvs_spellings_of_a_label_have_one_answer(tmp_path: Path) -> None:
    rows = [f"{row % 7},{row * 1.5},{('Yes', 'no', 'YES', 'no ', 'Yes', 'no')[row % 6]}" for row in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,target", *rows, ""]))
    (tmp_path / "test.csv").write_text("a,b,target\n1,2,yes\n3,4,NO\n")
    experiment = Experiment(tmp_path, tmp_path / "t.csv", test_csv=tmp_path / "test.csv")
    records = experiment.execute()
    answers = {entry["value"]: entry["text"] for entry in artifacts.read(experiment.plan, "plan")["labels"]}
    assert list(answers) == ["no", "Yes"]
    labels = [answers["Yes"], answers["no"]]
    assert [record["output"] for record in records if record["source"] == "test_csv"] == labels
    csv = sorted((record for record in records if record["source"] == "csv"), key=lambda record: record["row"])
    assert [record["output"] for record in csv] == labels * 40
    assert all(check["passed"] for check in experiment.verify()["checks"])


def test_the_tiny_base_reads_tokens_of_cells_and_a_real_one_rounded_numbers(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text(
        "age;size;target\n" + "".join(f"{2 * i};{i * 1234.5678};{'ab'[i % 2]}\n" for i in range(1, 60)) + ";1e-9;a\n",
        encoding="utf-8",
    )
    for folder in ("bins", "plain"):
        (tmp_path / folder).mkdir()
    bins = Experiment(tmp_path / "bins", csv).execute()
    assert [record["input"] for record in bins if record["row"] in (0, 58)] == [
        "<f0b0> <f1b0>",
        "<f0b15> <f1b15>",
    ]
    assert bins[-1]["input"] == "<f0na> <f1b0>"
    plain = Experiment(tmp_path / "plain", csv, model="some/model").execute()
    assert plain[58]["input"] == "age: 118\nsize: 72840"
    assert plain[59]["input"] == "age: unknown\nsize: 0.000000001"
    assert plain[0]["instruction"].endswith("Answer with exactly one of: a, b.")


def test_a_number_that_fills_several_bins_is_written_as_the_one_in_their_middle(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    levels = [0, 0, 0, 0, 0, 0, 1, 1, 2, 5]  # 60, 20, 10 and 10% of the rows
    csv.write_text("x,target\n" + "".join(f"{x},{'ab'[i % 2]}\n" for i in range(40) for x in levels), encoding="utf-8")
    experiment = Experiment(tmp_path, csv)
    records = experiment.execute()
    written = {levels[record["row"] % 10]: record["input"] for record in records}
    assert written == {0: "<f0b5>", 1: "<f0b11>", 2: "<f0b13>", 5: "<f0b14>"}
    assert experiment.transform(pd.DataFrame({"x": ["-3", "1.5", "7"]})) == ["<f0b0>", "<f0b12>", "<f0b15>"]


def test_each_category_of_each_column_has_a_token_and_what_has_none_is_written_out(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    cells = [("Y", "N"), ("N", "N"), ("N", "Y"), ("", "N")]
    csv.write_text(
        "smokes,drinks,target\n" + "".join(f"{','.join(cells[i % 4])},{'ab'[i % 3 % 2]}\n" for i in range(120)),
        encoding="utf-8",
    )
    experiment = Experiment(tmp_path, csv)
    written = {cells[record["row"] % 4]: record["input"] for record in experiment.execute()}
    assert written == {
        ("N", "N"): "<v0> <v2>",
        ("Y", "N"): "<v1> <v2>",
        ("N", "Y"): "<v0> <v3>",
        ("", "N"): "<f0na> <v2>",
    }
    new = experiment.transform(pd.DataFrame({"smokes": ["now and then"], "drinks": [" N "]}))
    assert new == ["smokes now and then <v2>"]


def test_where_tokens_run_out_the_most_frequent_categories_and_the_first_columns_have_them(tmp_path: Path) -> None:
    rare = [f"city{i:03}" for i in range(150)]
    rows = [f"{rare[i]},{'xyz'[i % 3]},{','.join(str(i % 5 + j) for j in range(70))},{'ab'[i % 2]}" for i in range(150)]
    header = ",".join(["city", "kind", *(f"n{j}" for j in range(70)), "target"])
    csv = tmp_path / "t.csv"
    csv.write_text("\n".join([header, *rows, *rows]) + "\n", encoding="utf-8")
    feedback = tmp_path / "plan.yaml"
    feedback.write_text("keep: [city, kind, " + ", ".join(f"n{j}" for j in range(70)) + "]\n", encoding="utf-8")
    experiment = Experiment(tmp_path, csv, feedback=feedback)
    record = experiment.execute()[0]
    known = artifacts.read(experiment.state, "prep_state")["categories"]
    assert sum(map(len, known.values())) <= 128
    assert sorted(known["kind"]) == ["x", "y", "z"]
    features = [feature["name"] for feature in artifacts.read(experiment.plan, "plan")["features"]]
    assert re.search(rf"<f63b\d+> {features[64]} <b\d+> {features[65]} ", record["input"])


def test_the_tiny_base_answers_with_the_token_of_a_label_where_it_has_as_many(tmp_path: Path) -> None:
    for labels in (3, 10, 11):
        folder = tmp_path / str(labels)
        folder.mkdir()
        (folder / "t.csv").write_text("x,target\n" + "".join(f"{i * i % 97},v{i % labels}\n" for i in range(400)))
        experiment = Experiment(folder, folder / "t.csv")
        planned = artifacts.read(experiment.plan, "plan")["labels"]
        own = {label["value"]: label["text"] for label in planned}
        expected = [f"<c{index}>" for index in range(labels)] if labels <= 10 else list(own)
        assert list(own.values()) == expected
        assert {record["output"] for record in experiment.execute()} == set(expected)


def test_dates_and_other_countries_numbers_become_bins_and_words_among_numbers_stay_words(tmp_path: Path) -> None:
    rows = "".join(f"{1 + i % 28:02}.{1 + i % 12:02}.{1990 + i // 4};{i}.234,5;{'ab'[i % 2]}\n" for i in range(1, 120))
    csv = tmp_path / "t.csv"
    csv.write_text(f"day;price;target\n{rows};on request;a\n", encoding="utf-8")
    records = Experiment(tmp_path, csv).execute()
    assert records[0]["input"] == "<f0b0> <f1b0>"
    assert records[118]["input"] == "<f0b15> <f1b15>"
    assert records[119]["input"] == "<f0na> price on request"
    assert [record["input"].split()[0] for record in records[:2]] == ["<f0b0>", "<f0b0>"]


def test_a_prompt_names_all_of_few_labels_and_some_of_many(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("x,target\n" + "".join(f"{i % 7},c{i % 60:02}\n" for i in range(360)), encoding="utf-8")
    instruction = artifacts.read(Experiment(tmp_path, csv, model="some/model").plan, "plan")["instruction"]
    assert instruction.endswith("c48, c49 and 10 more.")


def test_bin_edges_are_fitted_on_train_rows_only(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first = Experiment(tmp_path / "a", ROOT / "data/heart.csv")
    first.execute()
    table = pd.read_csv(ROOT / "data/heart.csv")
    splits = read_splits(first.splits)
    table.loc[splits.loc[splits["split"] != "train", "row"], "Age"] = 9999
    changed = tmp_path / "b" / "heart.csv"
    table.to_csv(changed, index=False)
    outs = (tmp_path / "b/all.json", tmp_path / "b/state.json")
    execute_prep_code(first.script, first.plan, sniff_source(changed), first.splits, first.sandbox, *outs)
    assert (tmp_path / "b/state.json").read_bytes() == first.state.read_bytes()


def test_the_rows_of_a_test_table_of_another_dialect_are_the_test_split(tmp_path: Path) -> None:
    heart = pd.read_csv(ROOT / "data/heart.csv")
    heart.iloc[:700].to_csv(tmp_path / "train.csv", index=False)
    heart.iloc[700:][list(reversed(heart.columns))].to_csv(
        tmp_path / "test.csv", index=False, sep=";", encoding="utf-8-sig"
    )
    experiment = Experiment(tmp_path, tmp_path / "train.csv", test_csv=tmp_path / "test.csv")
    records = experiment.execute()
    splits = read_splits(experiment.splits)
    assert set(splits.loc[splits["split"] == "test", "source"]) == {"test_csv"}
    assert sum(record["source"] == "test_csv" for record in records) == 218
    assert all(check["passed"] for check in experiment.verify()["checks"])


def test_names_and_cells_that_look_like_code_stay_text(tmp_path: Path) -> None:
    names = ['a"b', "{{ x }}", "$(touch pwned)", "{name}", "line\nbreak", "../up", "'; import os", "😀"]
    table = pd.DataFrame({name: [f"{{value}} {name} {i % 3}" for i in range(40)] for name in names})
    table["target"] = ["x", "{y}"] * 20
    table.to_csv(tmp_path / "t.csv", index=False)
    experiment = Experiment(tmp_path, tmp_path / "t.csv")
    records = experiment.execute()
    assert all(check["passed"] for check in experiment.verify()["checks"])
    written_out = Experiment(tmp_path, tmp_path / "t.csv", model="some/model").execute()
    assert "{{ x }}: {value} {{ x }} 0" in written_out[0]["input"]
    assert {record["output"] for record in records} == {"<c0>", "<c1>"}
    assert not Path("pwned").exists()


def test_new_rows_are_transformed_like_the_rows_of_training(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/titanic.csv")
    records = {record["row"]: record["input"] for record in experiment.execute()}
    new = read_table(experiment.csv).loc[[700, 3]].reset_index(drop=True).drop(columns="survived")
    assert experiment.transform(new) == [records[700], records[3]]


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        (
            ".join(parts)",
            ".join([*parts, str(len(rows))])",
            "whichever rows are beside it",
        ),
        ("    return records\n\n\ndef read", "    return records[:-1]\n\n\ndef read", "each row once"),
        ('"input": text,', '"input": text * (row != 5),', "nothing empty"),
        ('INSTRUCTION, "input"', 'INSTRUCTION + str(row % 2), "input"', "the plan's instruction everywhere"),
    ],
)
def test_code_that_breaks_its_contract_is_caught_by_the_check_of_that_name(
    tmp_path: Path, old: str, new: str, check: str
) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/titanic.csv")
    code = experiment.script.read_text(encoding="utf-8")
    assert old in code
    experiment.script.write_text(code.replace(old, new), encoding="utf-8")
    try:
        experiment.execute()
        prepared = experiment.prepared()
        failed = [check.name for check in [*check_records(prepared), *check_behaviour(prepared)] if not check.passed]
    except CodeError as error:
        failed = [str(error)]
    assert any(check in name or "one record for each" in name for name in failed), failed


def test_a_failed_check_stops_the_step_and_names_itself(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/penguins.csv")
    experiment.execute()
    with pytest.raises(
        CodeError, match=r"prompts fit into cutoff_len: .* raise cutoff_len in config.yaml, or drop features"
    ):
        experiment.verify(cutoff_len=10)


def test_generated_code_that_is_no_python_or_lacks_a_function_is_refused() -> None:
    with pytest.raises(CodeError, match="line 2: the generated code is not valid Python"):
        check_functions("def fit(train):\n  return {", ("fit",), "x.py")
    with pytest.raises(CodeError, match=r"does not define transform\(\)"):
        check_functions("def fit(train): return {}", ("fit", "transform"), "x.py")


def test_code_that_fails_says_its_last_words(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/penguins.csv")
    code = experiment.script.read_text(encoding="utf-8")
    experiment.script.write_text(code.replace("    return records\n", "    raise KeyError('beak')\n"), encoding="utf-8")
    with pytest.raises(CodeError, match="KeyError: 'beak'"):
        experiment.execute()
    assert not experiment.all_data.exists()


def test_plan_feedback_drops_and_takes_back_columns(tmp_path: Path) -> None:
    feedback = tmp_path / "plan.yaml.in"
    feedback = tmp_path / "feedback" / "plan.yaml"
    feedback.parent.mkdir()
    feedback.write_text("drop: [deck]\nkeep: [alive]\n", encoding="utf-8")
    plan = artifacts.read(Experiment(tmp_path, ROOT / "data/titanic.csv", feedback=feedback).plan, "plan")
    names = [feature["name"] for feature in plan["features"]]
    assert "deck" not in names
    assert "alive" in names
    assert [entry["name"] for entry in plan["dropped"]] == ["deck"]


def test_the_generated_script_of_penguins_is_as_reviewed(tmp_path: Path) -> None:
    script = Experiment(tmp_path, ROOT / "data/penguins.csv").script.read_text(encoding="utf-8")
    snapshot = ROOT / "tests/unit/snapshots/prepare_data.py.txt"
    assert script == snapshot.read_text(encoding="utf-8"), "regenerate the snapshot if the change is meant"


def test_the_plan_says_who_made_it_and_is_yaml_a_person_can_read(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, ROOT / "data/titanic.csv")
    plan = yaml.safe_load(experiment.plan.read_text(encoding="utf-8"))
    assert plan["by"] == BuiltinAgent.by
    assert plan["dropped"][0]["name"] == "alive"
    assert plan["dropped"][0]["reason"].startswith("suspected leak")
