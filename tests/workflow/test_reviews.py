"""Reviews at a real terminal, and what runs again after feedback."""

import io
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from loramake import artifacts
from tests.conftest import BIN, CORES, FAST, ROOT, snakemake

DOWN = "\x1b[B"
RESULTS = "results/penguins/evaluation/results.json"


def workplace(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROOT / "data/penguins.csv", folder)
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "config.yaml").write_text(yaml.safe_dump({**FAST, "experiments": {"penguins": {"csv": "penguins.csv"}}}))
    return folder


class Terminal:
    """A person at a terminal of 80 columns."""

    def __init__(self, folder: Path, command: list[str], shown: io.StringIO | None = None) -> None:
        """`shown` gets all that a terminal is sent."""
        self._child = pexpect.spawn(
            command[0], command[1:], cwd=str(folder), timeout=300, encoding="utf-8", dimensions=(60, 80)
        )
        self._child.logfile_read = shown

    def choose(self, review: str, place: int) -> None:
        self._child.expect(rf"Approve the {review} review of .*?Use arrow keys")
        self._child.expect("stop")
        assert "jobid" not in self._child.before, "a line of Snakemake's stands in the question"
        time.sleep(0.5)
        self._child.send(DOWN * place + "\r")

    def write(self, text: str, understood: str) -> None:
        self._child.expect("empty line ends")
        time.sleep(0.5)
        self._child.send(f"{text}\r")
        time.sleep(0.5)
        self._child.send("\r")
        self.expect(understood)
        self._child.expect("Save this")
        time.sleep(0.5)
        self._child.send("y")

    def expect(self, text: str) -> None:
        """Wait for words, wherever the line is broken between them."""
        self._child.expect(r"\s+".join(map(re.escape, text.split())))

    def end(self) -> int:
        self._child.expect(pexpect.EOF)
        self._child.close()
        return int(self._child.exitstatus or 0)


def test_a_person_revises_and_approves_all_three_reviews_in_one_run(tmp_path: Path) -> None:
    folder = workplace(tmp_path / "work")
    person = Terminal(folder, [str(BIN / "loramake"), "run", "--csv", "penguins.csv", "--cores", CORES])
    person.choose("data", 3)
    person.write("drop features: sex", "understood: drop the features 'sex'")
    person.expect("continuing with your feedback")
    person.choose("data", 1)
    person.choose("balance", 0)
    person.choose("config", 2)
    person.expect("results/penguins/configs/train.yaml")
    person.expect("dataset_dir: results/penguins/data")
    person.choose("config", 1)
    person.write("lora_rank: 2", "understood: set lora_rank to 2")
    person.expect("continuing with your feedback")
    person.choose("config", 0)
    assert person.end() == 0
    results = folder / "results/penguins"
    plan = artifacts.read(results / "plan.yaml", "plan")
    assert "sex" not in [feature["name"] for feature in plan["features"]]
    assert {"name": "sex", "reason": "dropped by feedback"} in plan["dropped"]
    assert artifacts.read(results / "review/data.json", "review")["balance"] == "oversample"
    assert artifacts.read(results / "configs/train.yaml", "lmf_config")["lora_rank"] == 2
    assert artifacts.read(folder / RESULTS, "results")["labels"] == ["Adelie", "Chinstrap", "Gentoo"]
    history = [json.loads(line) for line in (results / "review/history.jsonl").read_text().splitlines()]
    assert [(line["review"], line["decision"]) for line in history] == [
        ("data", "revise"),
        ("data", "approve"),
        ("balance", "approve"),
        ("config", "revise"),
        ("config", "approve"),
    ]
    again = [str(BIN / "loramake"), "run", "--csv", "penguins.csv", "--start-from", "config"]
    asked = subprocess.run(again, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert asked.returncode == 1
    assert "results/penguins/review/config.json needs a person" in asked.stderr
    assert {path.stem for path in (results / "review").glob("*.json")} == {"data", "balance"}


def test_plain_snakemake_run_again_and_again_goes_through_all_three_reviews(tmp_path: Path) -> None:
    folder = workplace(tmp_path / "work")
    target, results = "results/penguins/review/config.json", folder / "results/penguins"
    command = [str(BIN / "snakemake"), target, "--snakefile", str(ROOT / "Snakefile"), "--cores", CORES]
    without_terminal = snakemake(folder, target)
    assert without_terminal.returncode != 0
    assert "needs a person: run the same command in a terminal" in without_terminal.stdout
    person = Terminal(folder, command)
    person.choose("data", 4)
    assert person.end() != 0
    assert not (results / "data/train.json").exists()
    person = Terminal(folder, command)
    person.choose("data", 3)
    person.write("keep only features: island, body_mass_g", "understood: keep only the features")
    person.expect("run the same command to continue from plan_preparation")
    assert person.end() != 0
    person = Terminal(folder, command)
    person.choose("data", 1)
    person.choose("balance", 5)
    assert person.end() != 0
    person = Terminal(folder, [str(BIN / "loramake"), "review", "penguins"])
    person.choose("balance", 0)
    person.expect("approved, in results/penguins/feedback/approve_balance.yaml")
    assert person.end() == 0
    person = Terminal(folder, command)
    person.expect("the balance review was approved before")
    person.choose("config", 1)
    person.write("lora_rank: 2, plot_loss: true, template: qwen", "understood: set template to qwen")
    person.expect("run the same command to continue from verify_prepared_data")
    assert person.end() != 0
    (results / "feedback/config.yaml").write_text("lora_rank: 2\nextra_training_args: {save_strategy: epoch}\n")
    person = Terminal(folder, command)
    person.choose("config", 0)
    assert person.end() == 0
    plan = artifacts.read(results / "plan.yaml", "plan")
    assert [feature["name"] for feature in plan["features"]] == ["island", "body_mass_g"]
    assert artifacts.read(results / "review/data.json", "review")["balance"] == "oversample"
    train = artifacts.read(results / "configs/train.yaml", "lmf_config")
    assert (train["lora_rank"], train["save_strategy"]) == (2, "epoch")
    balanced = artifacts.read(results / "data/balanced_data.json", "records")
    assert len(balanced) > len(artifacts.read(results / "data/train.json", "records"))
    (results / "review/data.json").unlink()
    again = snakemake(folder, "results/penguins/review/data.json")
    assert again.returncode == 0, again.stdout
    assert "was approved before" in again.stdout
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["experiments"]["wider"] = {"extends": "penguins", "lora_rank": 8}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "results/wider/feedback").mkdir(parents=True)
    shutil.copy(results / "feedback/plan.yaml", folder / "results/wider/feedback")
    inherited = snakemake(folder, "results/wider/review/balance.json")
    assert inherited.returncode == 0, inherited.stdout
    assert inherited.stdout.count("was approved before") == 2


def test_two_experiments_ask_one_after_the_other(tmp_path: Path) -> None:
    folder = workplace(tmp_path / "work")
    experiments = {name: {"csv": "penguins.csv", "seed": seed} for seed, name in enumerate(("one", "two"))}
    (folder / "config.yaml").write_text(yaml.safe_dump({**FAST, "experiments": experiments}))
    targets = [f"results/{name}/review/data.json" for name in experiments]
    person = Terminal(
        folder, [str(BIN / "snakemake"), *targets, "--snakefile", str(ROOT / "Snakefile"), "--cores", "8"]
    )
    person.choose("data", 0)
    first = sorted(path.parent.parent.name for path in folder.glob("results/*/review/data.json"))
    assert first == []
    person.choose("data", 0)
    assert person.end() == 0
    for target in targets:
        assert artifacts.read(folder / target, "review")["by"] == "person"


def test_a_second_run_in_a_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = workplace(tmp_path / "work")
    lock = folder / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("results/penguins/profile.json\n")
    command = [str(BIN / "loramake"), "run", "--csv", "penguins.csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"loramake: another run is active in {folder}, or was killed there: wait for it")


RERUNS = ROOT / "docs/feedback.md"


def reruns() -> dict[str, set[str]]:
    """The rules that run after each kind of feedback, by the table in docs/feedback.md."""
    rows = [line.strip("|").split("|") for line in RERUNS.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    head, _, *body = [[cell.strip(" `") for cell in row] for row in rows]
    return {kind: {row[0] for row in body if row[place]} for place, kind in enumerate(head) if place}


@pytest.mark.parametrize(
    ("kind", "step", "content"),
    [
        ("explore: drop", "explore", {"drop": ["sex"]}),
        ("splits: test_ratio", "splits", {"test_ratio": 0.3}),
        ("plan: drop", "plan", {"drop": ["sex"]}),
        ("plan: instruction", "plan", {"instruction": "Which species?"}),
        ("balance: balance", "balance", {"balance": "oversample"}),
        ("config: template", "config", {"template": "qwen"}),
        ("config: lora_rank", "config", {"lora_rank": 2}),
        ("config: extra_training_args", "config", {"extra_training_args": {"save_strategy": "no"}}),
    ],
)
def test_feedback_runs_the_rules_of_the_table_and_no_other(
    copy_of_finished: Callable[[], Path], kind: str, step: str, content: dict[str, Any]
) -> None:
    folder = copy_of_finished()
    path = folder / f"results/exp/feedback/{step}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    done = snakemake(folder, "--dry-run", "results/exp/evaluation/results.json")
    assert done.returncode == 0, done.stdout
    planned = set(re.findall(r"^(\w+) +1$", done.stdout, re.M))  # the table of jobs
    assert planned == reruns()[kind]


OSC, RIGHT_TO_LEFT = "\x1b]0;somebody else's title\x07", "\u202e"


def test_no_name_label_or_cell_reaches_a_terminal_as_more_than_text(tmp_path: Path) -> None:
    """The title of a window, set by a file, a column, a label or a cell: what sets it could do anything else."""
    folder = workplace(tmp_path / "work")
    evil = f"{OSC}{RIGHT_TO_LEFT}"
    rows = [f"{row % 7},t{row % 3}{evil},{'yes' if row % 2 else 'no'}{evil}\n" for row in range(120)]
    name = f"penguins{evil}.csv"
    (folder / name).write_text(f"age,town{evil},ill{evil}\n" + "".join(rows), encoding="utf-8")
    settings = {"csv": name, "target": f"ill{evil}", "seed": 3}
    (folder / "config.yaml").write_text(yaml.safe_dump({**FAST, "experiments": {"penguins": settings}}))
    shown = io.StringIO()
    review = "results/penguins/review/data.json"
    snakemake = [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--cores", CORES]
    assert Terminal(folder, [*snakemake, "--dry-run", "--quiet", "host", "--", f"nothing{evil}"], shown).end() != 0
    assert f"No rule to produce nothing�]0;{OSC[4:-1]}" in shown.getvalue()
    person = Terminal(folder, [*snakemake, review], shown)
    person.choose("data", 4)
    assert person.end() != 0
    for arguments in (["status", "penguins"], ["review", f"x{evil}"]):
        person = Terminal(folder, [str(BIN / "loramake"), *arguments], shown)
        person.end()
    person = Terminal(folder, [str(BIN / "loramake"), "run", "--csv", name], shown)
    person.choose("data", 4)
    assert person.end() != 0
    text = shown.getvalue()
    assert "somebody else's title" in text
    assert "written by" in text
    assert "\x1b]" not in text
    assert RIGHT_TO_LEFT not in text
