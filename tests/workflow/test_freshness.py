"""What reruns when: identity is content. docs/freshness.md has the table of it, which a test holds to this one."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from loramake import artifacts
from tests.conftest import BIN, ROOT
from tests.workflow.test_rebuild import planned

RESULTS = "results/exp/evaluation/results.json"
OLD, HOUR = 946_684_800, 3600
"""1 January 2000; the results of a copy are an hour younger, and all of loramake is newer than they are."""
NOTHING, EVERYTHING = "nothing", "everything"
PARTS = ("Snakefile", "loramake", "rules", "scripts", "schemas", "templates", "models", "profiles")

Change = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def other_loramake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """loramake as an upgrade or another environment has it: in another place, every file newer than any result."""
    folder = tmp_path_factory.mktemp("site {a}")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, folder / part)
    return folder


def dry_run(folder: Path, loramake: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "snakemake"), "--snakefile", str(loramake / "Snakefile"), "--cores", "1", "--dry-run", RESULTS]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(loramake)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def reruns(folder: Path, loramake: Path = ROOT) -> set[str]:
    done = dry_run(folder, loramake)
    assert done.returncode == 0, done.stdout
    return planned(done.stdout)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def older_table(folder: Path, loramake: Path) -> None:
    path = folder / "penguins.csv"
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    os.utime(path, (OLD, OLD))


def touched_table(folder: Path, loramake: Path) -> None:
    (folder / "penguins.csv").touch()


def moved_table(folder: Path, loramake: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "penguins.csv").rename(folder / "elsewhere/{experiment}{b}.csv")
    _replace(folder / "config.yaml", "penguins.csv", "'elsewhere/{experiment}{b}.csv'")


def new_feedback(folder: Path, loramake: Path) -> None:
    path = folder / "results/exp/feedback/plan.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("notes: [shorter]\n", encoding="utf-8")
    os.utime(path, (OLD, OLD))


def changed_setting(folder: Path, loramake: Path) -> None:
    _replace(folder / "config.yaml", "lora_rank: 4", "lora_rank: 2")


def other_model(folder: Path, loramake: Path) -> None:
    shutil.copytree(ROOT / "models", folder / "models")
    path = folder / "models/tiny/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    os.utime(path, (OLD, OLD))


def copied_model(folder: Path, loramake: Path) -> None:
    shutil.copytree(ROOT / "models", folder / "models")


def comments(folder: Path, loramake: Path) -> None:
    for part in ("scripts", "loramake"):
        for path in (loramake / part).rglob("*.py"):
            path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def bumped_training(folder: Path, loramake: Path) -> None:
    _replace(loramake / "loramake/workflow/versions.py", '"run_finetuning": 1', '"run_finetuning": 2')


def report_template(folder: Path, loramake: Path) -> None:
    _replace(loramake / "templates/render_report/verdict.html.j2", "ROC-AUC", "area")


def code_template(folder: Path, loramake: Path) -> None:
    path = loramake / "templates/builtin/write_prep_code.j2"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def prompt(folder: Path, loramake: Path) -> None:
    path = loramake / "templates/openai/plan_preparation.j2"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def deleted(path: str) -> Change:
    return lambda folder, loramake: (folder / "results/exp" / path).unlink()


def unchanged(folder: Path, loramake: Path) -> None:
    """Copied, which makes every file new, in no particular order."""


CHANGES: dict[str, tuple[Change, str]] = {
    "the project is copied or moved": (unchanged, NOTHING),
    "loramake is installed in another place, or again": (unchanged, NOTHING),
    "a comment in every script and module": (comments, NOTHING),
    "the CSV is touched": (touched_table, NOTHING),
    "the CSV is moved or renamed": (moved_table, NOTHING),
    "the base's folder is copied": (copied_model, NOTHING),
    "a prompt, with the builtin agent": (prompt, NOTHING),
    "the CSV is replaced, also by one with an older time": (older_table, EVERYTHING),
    "feedback/plan.yaml appears, also with an older time": (new_feedback, "plan_preparation"),
    "the preparation's code template": (code_template, "write_prep_code"),
    "a file of the base, also with an older time": (
        other_model,
        "verify_prepared_data, generate_lmf_config, run_finetuning",
    ),
    "a setting of the training": (changed_setting, "generate_lmf_config"),
    "the version of run_finetuning": (bumped_training, "run_finetuning"),
    "the report's template": (report_template, "render_report"),
    "an artifact is deleted: plan.yaml": (deleted("plan.yaml"), "plan_preparation"),
    "an artifact is deleted: unusable_columns.json": (deleted("unusable_columns.json"), "find_unusable_columns"),
    "an artifact is deleted: trust/risk.json": (deleted("trust/risk.json"), "control_risk"),
    "a picture is deleted: trust/audit.svg": (deleted("trust/audit.svg"), "plot_audit"),
    "a picture is deleted: evaluation/roc.svg": (deleted("evaluation/roc.svg"), "plot_evaluation"),
}
"""What happens → the rules that run for that reason; what depends on them runs, too."""


def graph(folder: Path) -> dict[str, set[str]]:
    """Rule → the rules that need what it makes, directly."""
    command = [
        str(BIN / "snakemake"),
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--forceall",
        "--rulegraph",
        "dot",
        RESULTS,
    ]
    dot = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', dot))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)]
    return {name: {b for a, b in edges if a == name} for name in names.values()}


def with_dependants(rules: str, children: dict[str, set[str]]) -> set[str]:
    if rules == NOTHING:
        return set()
    waiting = ["profile_csv"] if rules == EVERYTHING else rules.split(", ")
    rerun: set[str] = set()
    while waiting:
        rule = waiting.pop()
        if rule not in rerun:
            rerun.add(rule)
            waiting.extend(children[rule])
    return rerun


@pytest.fixture(scope="module")
def children(finished: Path) -> dict[str, set[str]]:
    return graph(finished)


def shuffled(source: Path, folder: Path) -> Path:
    """A copy as `cp -r` makes one, what was made first being copied last: each file newer than what was made of it."""
    shutil.copytree(source, folder, symlinks=True, copy_function=shutil.copyfile)
    made = sorted(
        (path for path in source.rglob("*") if path.is_file() and "models" not in path.parts),
        key=lambda path: -path.stat().st_mtime_ns,
    )
    for second, path in enumerate(made):
        copy = folder / path.relative_to(source)
        os.utime(copy, (OLD + HOUR + second, OLD + HOUR + second))
    (folder / "models").unlink()  # a link into the first loramake
    return folder


@pytest.mark.parametrize("what", CHANGES)
def test_what_reruns(
    what: str, finished: Path, children: dict[str, set[str]], other_loramake: Path, tmp_path: Path
) -> None:
    folder = shuffled(finished, tmp_path / "copy {a}")
    loramake = Path(shutil.copytree(other_loramake, tmp_path / "loramake {a}"))
    change, rules = CHANGES[what]
    change(folder, loramake)
    assert reruns(folder, loramake) == with_dependants(rules, children)


def test_a_large_artifact_of_a_copied_project_counts_by_content(
    finished: Path, other_loramake: Path, tmp_path: Path
) -> None:
    """Snakemake compares the contents of small files only, unless told otherwise."""
    folder = shuffled(finished, tmp_path / "copy")
    path = folder / "results/exp/data/all_data.json"
    before = artifacts.sha256(path)
    path.write_text(path.read_text(encoding="utf-8") + " " * 2_000_000, encoding="utf-8")
    for kept in (folder / ".snakemake/metadata").iterdir():
        text = kept.read_text(encoding="utf-8")
        kept.write_text(text.replace(before, artifacts.sha256(path)), encoding="utf-8")
    os.utime(path, (2_000_000_000, 2_000_000_000))
    assert reruns(folder, other_loramake) == set()


def test_feedback_counts_by_content(
    finished: Path, children: dict[str, set[str]], other_loramake: Path, tmp_path: Path
) -> None:
    """The copy is as if plan.yaml had been made with this feedback."""
    folder = shuffled(finished, tmp_path / "copy")
    new_feedback(folder, other_loramake)
    feedback = folder / "results/exp/feedback/plan.yaml"
    kept = folder / ".snakemake/metadata" / base64.urlsafe_b64encode(b"results/exp/plan.yaml").decode()
    record = json.loads(kept.read_text(encoding="utf-8"))
    changed = {"'feedback none'": f"'feedback {artifacts.sha256(feedback)}'", "None": None}
    params = [changed.get(param, param) for param in record["params"]]
    kept.write_text(json.dumps({**record, "params": [param for param in params if param]}), encoding="utf-8")
    feedback.touch()
    assert reruns(folder, other_loramake) == set()
    feedback.write_text("notes: [longer.]\n", encoding="utf-8")
    os.utime(feedback, (OLD, OLD))
    assert reruns(folder, other_loramake) == with_dependants("plan_preparation", children)


def test_the_documentation_has_this_table() -> None:
    text = (ROOT / "docs/freshness.md").read_text(encoding="utf-8")
    for what, (_, rules) in CHANGES.items():
        assert f"| {what} | {rules} |" in text


def test_nothing_of_a_machine_is_kept_of_a_result(finished: Path) -> None:
    places = [str(finished), str(ROOT)]
    kept = [path for path in (finished / ".snakemake/metadata").rglob("*") if path.is_file()]
    made = [path for path in (finished / "results/exp").rglob("*") if path.is_file()]
    made = [path for path in made if not {".cache", "logs", "benchmarks"} & set(path.relative_to(finished).parts)]
    assert len(kept) > 30
    for path in (*kept, *made):
        assert not [place for place in places if place.encode() in path.read_bytes()], path
    train = yaml.safe_load((finished / "results/exp/configs/train.yaml").read_text(encoding="utf-8"))
    assert train["model_name_or_path"] == "models/tiny"


def test_loramake_run_and_plain_snakemake_plan_the_same(
    copy_of_finished: Callable[[], Path], other_loramake: Path
) -> None:
    folder = copy_of_finished()
    assert reruns(folder, other_loramake) == set()
    command = [str(BIN / "loramake"), "run", "--name", "exp"]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(other_loramake)}
    before = {path: path.stat().st_mtime_ns for path in (folder / "results/exp").rglob("*.*")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "results/exp").rglob("*.*")}


def test_status_says_what_an_older_version_made(
    copy_of_finished: Callable[[], Path], other_loramake: Path, tmp_path: Path
) -> None:
    folder = copy_of_finished()
    loramake = Path(shutil.copytree(other_loramake, tmp_path / "loramake"))
    bumped_training(folder, loramake)
    command = [str(BIN / "loramake"), "status", "exp", "--json"]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(loramake)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 3, done.stderr
    (status,) = yaml.safe_load(done.stdout)
    older = {each["rule"] for each in status["artifacts"] if each["state"] == "made by an older version"}
    stale = {each["rule"] for each in status["artifacts"] if each["state"] == "stale"}
    assert older == {"run_finetuning"}
    assert {"run_prediction", "render_report"} <= stale


def test_copied_results_predict(finished: Path, tmp_path: Path) -> None:
    """On a machine without the old folder: no .snakemake, no base beside results/, only the experiment itself."""
    there = tmp_path / "there"
    shutil.copytree(finished / "results/exp", there / "results/exp", ignore=shutil.ignore_patterns(".cache"))
    lines = (finished / "penguins.csv").read_text(encoding="utf-8").splitlines()[:4]
    (there / "new.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [str(BIN / "loramake"), "predict", "exp", "--csv", "new.csv", "--output", "out.csv"]
    done = subprocess.run(command, cwd=there, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert len((there / "out.csv").read_text(encoding="utf-8").splitlines()) == 4
