import os
import shutil
import subprocess
import time
from pathlib import Path

import pexpect
import pytest
import yaml

from loramake.config import resolve
from loramake.errors import ConfigError, DataError
from loramake.workflow.init import propose, write_config
from tests.conftest import BIN, ROOT

SETTINGS = {"csv": "heart.csv", "target": "HeartDisease"}
DOWN = "\x1b[B"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "data/heart.csv", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# mine\nseed: 7  # kept\n",
        "seed: 7\nexperiments:\n  # first\n  one:\n    csv: a.csv  # kept\n\nreview: approve  # below\n",
        "experiments:\n  one: {csv: a.csv}\n",
        "experiments:\n",
    ],
)
def test_an_experiment_is_added_and_what_was_there_stays(folder: Path, before: str) -> None:
    (folder / "config.yaml").write_text(before)
    write_config("007", SETTINGS)
    text = (folder / "config.yaml").read_text()
    assert all(line in text for line in before.splitlines())
    content, old = yaml.safe_load(text), yaml.safe_load(before) or {}
    assert content == {**old, "experiments": {**(old.get("experiments") or {}), "007": SETTINGS}}
    assert resolve(content, "007")["target"] == "HeartDisease"


def test_a_file_that_nothing_can_be_added_to_is_left_alone_and_the_text_is_said(folder: Path) -> None:
    (folder / "config.yaml").write_text("experiments: {one: {csv: a.csv}}\n")
    with pytest.raises(ConfigError, match=r"paste this below:\n  two:\n    csv: heart\.csv"):
        write_config("two", SETTINGS)
    assert (folder / "config.yaml").read_text() == "experiments: {one: {csv: a.csv}}\n"


def write_table(columns: str) -> Path:
    """Ten rows of few words in each column."""
    words = (",".join("ab"[row % 2] + "cde"[(row + column) % 3] for column in range(3)) for row in range(10))
    Path("table.csv").write_text("\n".join([columns, *words]) + "\n")
    return Path("table.csv")


def test_the_likely_target_is_proposed_with_what_columns_hold(folder: Path) -> None:
    proposal = propose(Path("heart.csv"))
    assert proposal.likely is not None
    assert proposal.likely.name == "HeartDisease"
    assert proposal.likely.reasons[0] == "a word in its name says so"
    names = [candidate.name for candidate in proposal.candidates]
    assert names[0] == "HeartDisease"
    assert names.index("Sex") < names.index("Age")
    assert proposal.values["HeartDisease"] == "1, 0"
    assert proposal.values["Cholesterol"] == "numeric, 222 values"


def test_the_last_column_is_never_proposed_for_its_position_alone(folder: Path) -> None:
    proposal = propose(write_table("one,two,three"))
    assert proposal.likely is None
    assert [candidate.name for candidate in proposal.candidates] == ["one", "two", "three"]
    named = propose(write_table("one,outcome,three")).likely
    assert named is not None
    assert named.name == "outcome"


def init(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(BIN / "loramake"), "init", *options]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_yes_prints_each_answer_with_its_reason_and_refuses_to_guess(folder: Path) -> None:
    lines = init("heart.csv", "--yes").stdout.splitlines()
    assert lines[0].startswith("target: HeartDisease (a word in its name says so")
    assert [line.partition(":")[0] for line in lines[1:4]] == ["model", "agent", "review"]
    write_table("one,two,three")
    assert init("table.csv", "--yes").stderr == (
        "loramake: table.csv: no column stands out as the target: name it with --target COLUMN.\n"
    )
    assert (
        "'towo' is not a column of table.csv (did you mean two?)"
        in init("table.csv", "--yes", "--target", "towo").stderr
    )
    assert init("table.csv", "--yes", "--target", "two").returncode == 0
    assert yaml.safe_load((folder / "config.yaml").read_text())["experiments"]["table"]["target"] == "two"


def test_typing_filters_the_columns(folder: Path) -> None:
    person = pexpect.spawn(
        str(BIN / "loramake"), ["init", "heart.csv"], cwd=str(folder), timeout=60, encoding="utf-8", dimensions=(60, 80)
    )
    person.expect("HeartDisease is a likely target")
    person.expect("type to filter")
    for keys in ("Angina", "\r", "\r", "\r", "\r"):
        time.sleep(0.5)
        person.send(keys)
    person.expect("loramake run --name heart")
    person.expect(pexpect.EOF)
    assert resolve(yaml.safe_load((folder / "config.yaml").read_text()), "heart")["target"] == "ExerciseAngina"


def test_four_questions_make_a_configuration(folder: Path) -> None:
    person = pexpect.spawn(
        str(BIN / "loramake"), ["init", "heart.csv"], cwd=str(folder), timeout=60, encoding="utf-8", dimensions=(60, 80)
    )
    person.expect("should be predicted")
    person.expect("HeartDisease  ")
    for question, keys in (
        ("", "\r"),
        ("Which base model", "\r"),
        ("Who plans", DOWN + "\r"),
        ("Its address", "\r"),
        ("Its name", "some/model\r"),
        ("Who approves", DOWN + "\r"),
    ):
        person.expect(question)
        time.sleep(0.5)
        person.send(keys)
    person.expect("loramake run --name heart")
    person.expect(pexpect.EOF)
    settings = resolve(yaml.safe_load((folder / "config.yaml").read_text()), "heart")
    wanted = {"target": "HeartDisease", "agent": "openai", "agent_model": "some/model", "review": "approve"}
    assert {key: settings[key] for key in wanted} == wanted


def test_ctrl_c_writes_nothing(folder: Path) -> None:
    person = pexpect.spawn(
        str(BIN / "loramake"), ["init", "heart.csv"], cwd=str(folder), timeout=60, encoding="utf-8", dimensions=(60, 80)
    )
    person.expect("should be predicted")
    time.sleep(0.5)
    person.send("\x03")
    person.expect("nothing was written")
    assert not (folder / "config.yaml").exists()


def test_without_a_terminal_the_way_on_is_said(folder: Path) -> None:
    command = [str(BIN / "loramake"), "init", "heart.csv"]
    run = {"cwd": folder, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "env": {**os.environ}}
    refused = subprocess.run(command, check=False, **run)
    assert refused.returncode == 1
    assert refused.stderr.startswith("loramake: init asks four questions: run it in a terminal, or with --yes")
    done = subprocess.run([*command, "--yes"], check=False, **run)
    assert "loramake run --name heart" in done.stdout
    again = subprocess.run([*command, "--yes"], check=False, **run)
    assert again.stderr.startswith("loramake: config.yaml has an experiment heart")


def test_a_table_of_one_column_is_refused_as_a_run_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("age\n" + "30\n45\n" * 10, encoding="utf-8")
    with pytest.raises(DataError, match=r"one\.csv has one column \(age\): it needs a target and a feature"):
        propose(tmp_path / "one.csv")
