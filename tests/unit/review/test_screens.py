import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from loramake import artifacts
from loramake.console import SafeConsole
from loramake.errors import ReviewError
from loramake.explore.profile import profile_csv
from loramake.review import screens
from loramake.review.code_summary import summarize_code
from loramake.review.screens import (
    review_lmf_config,
    review_prep_data,
    show_balanced_data,
    show_lmf_config,
    show_prep_data,
)
from tests.conftest import task_of

TASK = task_of(["0", "1"])

CONFIG = {
    "model_name_or_path": "m", "stage": "sft", "finetuning_type": "lora", "dataset_dir": "d", "cutoff_len": 9,
    "output_dir": "o", "report_to": "none", "lora_rank": 4, "num_train_epochs": 3.0,
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8,
}  # fmt: skip

FEATURE = {"name": "a", "type": "text", "number_style": None, "date_style": None, "missing_words": []}
PLAN = {
    "target": "y", "instruction": "?", "feature_format": "{name} {value}", "feature_separator": " ",
    "number_format": {"kind": "plain", "significant_digits": 4}, "cell_tokens": None, "longest_cell": 9,
    "missing": {"token": "-", "reason": ""}, "features": [FEATURE],
    "dropped": [], "labels": [{"value": "0", "text": "0"}, {"value": "1", "text": "1"}],
    "balance": {"proposal": "none", "reason": ""}, "advice": "", "unread_notes": 0,
    "by": {"provider": "builtin", "model": None},
}  # fmt: skip


VERIFICATION = {
    "checks": [{"name": "c", "passed": True, "detail": ""}], "classes": {}, "critique": [], "judged": "",
    "by": PLAN["by"],
    "tokens": {"longest": 9, "mean": 7.5, "cutoff_len": 9, "estimated": False},
    "sandbox": {"setting": "auto", "used": "bubblewrap"},
}  # fmt: skip
RECORDS = [{"row": row, "source": "csv", "instruction": "?", "input": "a 1", "output": "0"} for row in range(20)]


def review(folder: Path, mode: str, config: dict[str, Any] | None = None, gpus: int = 1) -> Any:
    artifacts.write(folder / "train.yaml", config or CONFIG, "lmf_config")
    artifacts.write(folder / "processes.json", {"gpus": gpus, "nodes": 1}, "processes")
    artifacts.write(folder / "plan.yaml", PLAN, "plan")
    artifacts.write(folder / "verification.json", VERIFICATION, "verification")
    artifacts.write(folder / "balanced_data.json", RECORDS, "records")
    review_lmf_config(
        mode,
        folder / "approvals.jsonl",
        folder / "plan.yaml",
        folder / "verification.json",
        folder / "balanced_data.json",
        [folder / "train.yaml", folder / "processes.json"],
        {},
        folder / "review/config.json",
    )
    return artifacts.read(folder / "review/config.json", "review")


def test_the_setting_approves_and_the_approval_names_the_very_bytes(tmp_path: Path) -> None:
    approved = review(tmp_path, "approve")
    assert approved["by"] == "setting"
    files = [tmp_path / "train.yaml", tmp_path / "processes.json"]
    assert approved["reviewed"] == {str(path): artifacts.sha256(path) for path in files}


def test_without_a_terminal_a_person_cannot_be_asked_and_the_way_on_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "nothing").open("w+", encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        with pytest.raises(
            ReviewError, match=r"needs a person: run .* in a terminal, .*review: approve .*review: file"
        ):
            review(tmp_path, "ask")
    assert not (tmp_path / "review/config.json").exists()


def test_a_file_approves_the_very_bytes_that_it_names(tmp_path: Path) -> None:
    decision = tmp_path / "feedback/approve_config.yaml"
    with pytest.raises(ReviewError, match=r"approve_config.yaml is missing: read .*train.yaml") as caught:
        review(tmp_path, "file")
    decision.parent.mkdir(exist_ok=True)
    decision.write_text(str(caught.value).split("`")[1] + "\n")
    assert review(tmp_path, "file")["by"] == "file"
    with pytest.raises(ReviewError, match="approves other files"):
        review(tmp_path, "file", {**CONFIG, "lora_rank": 8})
    history = (tmp_path / "review/history.jsonl").read_text().splitlines()
    assert [json.loads(line)["by"] for line in history] == ["file"]


def test_a_remembered_approval_is_told_apart_from_a_decision(tmp_path: Path) -> None:
    review(tmp_path, "approve")
    hashes = sorted(artifacts.sha256(tmp_path / name) for name in ("train.yaml", "processes.json"))
    content = {"review": "config", "sha256": hashes}
    (tmp_path / "approvals.jsonl").write_text(json.dumps(content) + "\n")
    assert review(tmp_path, "ask")["by"] == "person"
    history = (tmp_path / "review/history.jsonl").read_text().splitlines()
    assert [json.loads(line).get("remembered", False) for line in history] == [False, True]
    with pytest.raises(ReviewError, match="needs a person"):  # another effective batch is another training
        review(tmp_path, "ask", gpus=2)


def profile(folder: Path) -> Path:
    """profile.json of a table whose columns are not plain to read."""
    rows = "".join(f"word {i % 3},${i % 7},{0 if i % 10 == 0 else 50 + i},{i % 2}\n" for i in range(30))
    (folder / "t.csv").write_text(f"a,c1,told,y\n{rows}", encoding="utf-8")
    profile_csv(folder / "t.csv", None, folder / "profile.json")
    return folder / "profile.json"


def test_the_data_review_begins_with_what_is_predicted_and_names_leaks_and_all_that_is_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{number}" for number in range(12)]
    dropped = [{"name": name, "reason": "constant: one value"} for name in names]
    leak = {"name": "told", "reason": "suspected leak: it is the target in other words"}
    artifacts.write(tmp_path / "exp/plan.yaml", {**PLAN, "dropped": [*dropped, leak]}, "plan")
    classes = {"train": {"0": 15, "1": 0}, "validation": {"0": 0, "1": 0}, "test": {"0": 5, "1": 0}}
    artifacts.write(tmp_path / "exp/verification.json", {**VERIFICATION, "classes": classes}, "verification")
    artifacts.write(tmp_path / "exp/all_data.json", RECORDS, "records")
    paths = [tmp_path / "exp" / name for name in ("verification.json", "plan.yaml", "all_data.json")]
    (tmp_path / "exp/scripts").mkdir()
    script = tmp_path / "exp/scripts/prepare_data.py"
    script.write_text("import json\nimport numpy as np\n\ndef fit(train):\n    return {}\n")
    artifacts.write(tmp_path / "exp/task.json", TASK, "task")
    profiled = profile(tmp_path)
    capfd.readouterr()
    show_prep_data(profiled, tmp_path / "exp/task.json", *paths, tmp_path / "splits.csv", script, "auto")
    shown = capfd.readouterr().err.splitlines()
    assert shown[0] == "exp: prepared data"
    assert shown[1] == "Predicts y (0, 1) from 1 column of 20 rows: 15 to train on, 5 to test on."
    assert "prompts: 8 tokens a row, 9 at most of 9" in shown
    assert not any("validation" in line for line in shown)
    assert f"dropped: {', '.join(names)}, told" in shown
    assert "  … 2 more: in plan.yaml" in shown
    assert shown[shown.index("suspected leaks: 1, among the dropped") + 1] == "  told: it is the target in other words"
    assert f"the code: {script}, 5 lines, sha256 {artifacts.sha256(script)[:12]}…" in shown
    assert "  written by: the builtin agent, or whoever edited it since" in shown
    assert "  functions: fit" in shown
    assert "  imports: json, numpy" in shown
    assert "features: text: a" in shown
    assert shown[shown.index("how cells were read: 1 note") + 1] == "  c1: read as numbers with the unit '$'"
    assert shown[shown.index("to check: 1 note") + 1].startswith("  told: 0 in 3 rows, and no other value below 51; if")


LONG_NAMES = [f"number_of_hospital_admissions_in_year_{year}" for year in range(2000, 2020)]
LONG_LABELS = [f"cardiology_outpatient_{number:02}" for number in range(30)]


def write_a_wide_experiment(folder: Path) -> list[Path]:
    """Artifacts with long names, many labels and a long instruction; the files that the three reviews show."""
    features = [{**FEATURE, "name": name} for name in LONG_NAMES]
    dropped = [{"name": f"{name}_copy", "reason": "it repeats " + name} for name in LONG_NAMES]
    labels = [{"value": label, "rows": 9, "spellings": []} for label in LONG_LABELS]
    plan = {
        **PLAN,
        "target": "department_of_the_first_follow_up_appointment",
        "instruction": "Predict the department in which the patient is seen first after the operation. " * 6,
        "features": features,
        "dropped": dropped,
        "labels": [{"value": label, "text": label} for label in LONG_LABELS],
    }
    task = {**TASK, "target": plan["target"], "labels": labels, "is_target_set": False, "task_type": "multiclass"}
    rows = dict.fromkeys(LONG_LABELS, 1234)
    classes = dict.fromkeys(("train", "validation", "calibration", "test"), rows)
    text = " ".join(f"{name} 1" for name in LONG_NAMES)
    records = [{**RECORDS[0], "instruction": plan["instruction"], "input": text, "output": LONG_LABELS[0]}] * 50
    config = {
        **CONFIG,
        "model_name_or_path": "models/some-organization/a-model-of-seven-billion-parameters-instruct",
        "lora_target": "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj",
    }
    contents = {
        "profile.json": (artifacts.read(profile(folder), "profile"), "profile"),
        "task.json": ({**task, "positive_label": None}, "task"),
        "plan.yaml": (plan, "plan"),
        "data/verification.json": ({**VERIFICATION, "classes": classes}, "verification"),
        "data/all_data.json": (records, "records"),
        "data/train.json": (records, "records"),
        "data/balanced_data.json": (records, "records"),
        "configs/train.yaml": (config, "lmf_config"),
        "configs/processes.json": ({"gpus": 1, "nodes": 1}, "processes"),
    }
    for name, (content, schema) in contents.items():
        artifacts.write(folder / name, content, schema)
    (folder / "splits.csv").touch()
    (folder / "prepare_data.py").write_text("def fit(train): ...\n", encoding="utf-8")
    return [folder / name for name in contents]


def shown_at(width: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of all three reviews, on a terminal of this width, without the borders of tables."""
    stream = io.StringIO()
    terminal = SafeConsole(file=stream, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(screens, "console", terminal)
    profiled, task, plan, verification, records, train, balanced, *configs = write_a_wide_experiment(folder)
    script = folder / "prepare_data.py"
    show_prep_data(profiled, task, verification, plan, records, folder / "splits.csv", script, "auto")
    show_balanced_data(plan, train, balanced, script)
    show_lmf_config(plan, verification, balanced, configs)
    assert all(cell_len(line) <= width for line in stream.getvalue().splitlines())
    return re.sub("[┏┓┡┩└┘├┤┳╇┴┼━─┃│]", " ", stream.getvalue()).split()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_word_of_a_review_is_broken_between_lines(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results/exp")
    folder.mkdir(parents=True)
    words = shown_at(1000, folder, monkeypatch)
    assert shown_at(width, folder, monkeypatch) == words
    assert {*LONG_NAMES[1:19], *LONG_LABELS[:20]} <= {word.strip(",;:()") for word in words}


def test_the_configuration_review_ends_with_the_table_and_names_its_files_without_their_content(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    review(tmp_path, "approve")
    shown = capfd.readouterr().err.splitlines()
    assert shown[1] == "Trains m: 6 steps over 20 rows, about 450 tokens (8 a row)."
    assert f"the files: {tmp_path / 'train.yaml'}, {tmp_path / 'processes.json'}" in shown
    assert not any("dataset_dir" in line for line in shown)
    end = next(index for index, line in enumerate(shown) if line.startswith("└"))
    assert shown[end - 1].split() == ["│", "cutoff_len", "│", "9", "│"]
    assert not shown[end + 1 :]


def test_a_target_that_nobody_named_few_rows_and_undersampling_are_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = [
        {"value": "0", "rows": 600, "spellings": []},
        {"value": "1", "rows": 15, "spellings": [{"value": "1.0", "rows": 3}]},
    ]
    task = {**TASK, "is_target_set": False, "reason": "it is the last column", "labels": labels}
    classes = {"train": {"0": 573, "1": 12}, "validation": {"0": 0, "1": 0}}
    contents = {
        "task.json": (task, "task"),
        "verification.json": ({**VERIFICATION, "classes": classes}, "verification"),
        "plan.yaml": (PLAN, "plan"),
        "all_data.json": (RECORDS, "records"),
    }
    for name, (content, schema) in contents.items():
        artifacts.write(tmp_path / name, content, schema)
    (tmp_path / "prepare_data.py").write_text("")
    paths = [*(tmp_path / name for name in contents), tmp_path / "splits.csv", tmp_path / "prepare_data.py"]
    show_prep_data(profile(tmp_path), *paths, "undersample")
    shown = capfd.readouterr().err.splitlines()
    assert (
        "target is not set: y was chosen (it is the last column); set target in config.yaml, to this column or "
        "another." in shown
    )
    assert (
        "labels: different spellings of a label in y are merged: '1' from '1.0' (3 rows); merge_labels: false keeps "
        "them apart." in shown
    )
    assert any(line.startswith("few rows: fewer than 20 train rows for 1 (12): ") for line in shown)
    assert any(line.startswith("undersampling: undersampling keeps 24 of 585 training records") for line in shown)


def test_the_balance_review_says_how_many_rows_undersampling_drops(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [{**RECORDS[0], "row": row, "output": "1" if row < 25 else "0"} for row in range(600)]
    artifacts.write(tmp_path / "plan.yaml", PLAN, "plan")
    artifacts.write(tmp_path / "train.json", rows, "records")
    artifacts.write(tmp_path / "balanced.json", rows[:50], "records")
    (tmp_path / "balance_data.py").write_text("")
    files = [tmp_path / name for name in ("plan.yaml", "train.json", "balanced.json", "balance_data.py")]
    show_balanced_data(*files)
    assert "undersampling: undersampling keeps 50 of 600 training records" in capfd.readouterr().err
    show_balanced_data(files[0], files[1], files[1], files[3])
    assert "undersampling" not in capfd.readouterr().err


def test_an_approval_of_the_data_is_of_the_code_too(tmp_path: Path) -> None:
    artifacts.write(tmp_path / "plan.yaml", PLAN, "plan")
    artifacts.write(
        tmp_path / "verification.json", {**VERIFICATION, "classes": {"train": {"0": 20, "1": 0}}}, "verification"
    )
    artifacts.write(tmp_path / "records.json", RECORDS, "records")
    (tmp_path / "splits.csv").touch()
    script = tmp_path / "prepare_data.py"
    script.write_text("def fit(train): ...\n")
    files = [tmp_path / name for name in ("verification.json", "plan.yaml", "records.json", "splits.csv")]
    history = tmp_path / "approvals.jsonl"
    sha256 = sorted(artifacts.sha256(path) for path in [*files, script])
    history.write_text(json.dumps({"review": "data", "balance": "none", "sha256": sha256}) + "\n")
    out = tmp_path / "review/data.json"
    artifacts.write(tmp_path / "task.json", TASK, "task")
    review_prep_data("ask", history, profile(tmp_path), tmp_path / "task.json", *files, script, "auto", {}, out)
    assert artifacts.read(out, "review")["reviewed"][str(script)] == artifacts.sha256(script)
    script.write_text("def fit(train): return {}\n")
    with (tmp_path / "nothing").open("w+") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", file)
        with pytest.raises(ReviewError, match="needs a person"):
            review_prep_data("ask", history, profile(tmp_path), tmp_path / "task.json", *files, script, "auto", {}, out)


def test_an_approval_of_the_balanced_data_is_of_the_code_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    artifacts.write(tmp_path / "plan.yaml", PLAN, "plan")
    artifacts.write(tmp_path / "train.json", RECORDS, "records")
    script = tmp_path / "balance_data.py"
    script.write_text("def balance(records, seed):\n    return records\n")
    question = show_balanced_data(tmp_path / "plan.yaml", tmp_path / "train.json", tmp_path / "train.json", script)
    assert script in question.files
    assert "  functions: balance" in capfd.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("code", "what", "text"),
    [
        (
            "def f():\n    import os.path, json\n    from subprocess import run\n",
            "imports",
            "json, os.path, subprocess",
        ),
        ("from . import sibling\n", "imports", "."),
        ("# \u202e hidden\nx = 1\n", "hidden characters", "in line 1: it may do something other than it seems"),
        ("x = '\u200b'\n" * 7, "hidden characters", "in line 1, 2, 3, 4, 5: it may do something other than it seems"),
        ("def f(:\n", "imports", "unknown: it is not valid Python"),
        ("x = 1\0\n", "imports", "unknown: it is not valid Python"),
        ("x = " + "(" * 5000 + "1" + ")" * 5000, "imports", "unknown: it is not valid Python"),
        ("x = " + "-" * 200_000 + "1", "imports", "unknown: it is not valid Python"),
    ],
)
def test_what_is_odd_about_generated_code_stands_out(tmp_path: Path, code: str, what: str, text: str) -> None:
    (tmp_path / "s.py").write_text(code, encoding="utf-8")
    assert (f"  {what}", text, True) in summarize_code(tmp_path / "s.py", "openai")
