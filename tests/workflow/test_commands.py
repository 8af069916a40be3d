"""The commands around a run, on a finished one."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.conftest import BIN, CORES, snakemake


def loramake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command there, with no terminal and no browser."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "BROWSER": "true"}
    command = [str(BIN / "loramake"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=-3
    )


def test_experiments_are_compared_reports_found_and_misspelt_names_corrected(
    copy_of_finished: Callable[[], Path],
) -> None:
    folder = copy_of_finished()
    shutil.copytree(folder / "results/exp", folder / "results/other")
    made = json.loads(loramake(folder, "compare", "exp", "other", "--json").stdout)
    assert made["settings"] == {}
    assert made["differences"][0]["rows"] == 69
    assert made["differences"][0]["differences"]["roc_auc"]["value"] == 0.0
    shown = loramake(folder, "compare", "exp", "results/other")
    assert "other is as good as exp: ROC-AUC +0.000" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert made["trust"]["exp"]["coverage of sets"] == made["trust"]["other"]["coverage of sets"]
    conformal = folder / "results/other/trust/conformal.json"
    conformal.write_text(conformal.read_text(encoding="utf-8").replace('"method": "lac"', '"method": "aps"', 1))
    assert json.loads(loramake(folder, "compare", "exp", "other", "--json").stdout)["settings"] == {
        "conformal": ["lac", "aps"]
    }
    assert loramake(folder, "compare", "exp").returncode == 1
    unknown = loramake(folder, "compare", "exp", "othr")
    assert unknown.stderr == (
        "loramake: results/othr does not exist (did you mean other?): loramake status lists what does.\n"
    )
    assert loramake(folder, "report", "exp", "--no-open").stdout == f"{folder.resolve()}/results/exp/report.html\n"
    (folder / "results/other/report.html").unlink()
    absent = loramake(folder, "report", "other")
    assert absent.returncode == 1
    assert "results/other/report.html does not exist: loramake run --name other makes it" in absent.stderr
    decided = loramake(folder, "review", "exp")
    assert "all three reviews of exp are decided;" in decided.stderr
    (folder / "results/exp/review/balance.json").unlink()
    asked = loramake(folder, "review", "exp")
    assert asked.returncode == 1
    assert "results/exp/review/balance.json needs a person" in asked.stderr


def test_a_kept_run_stays_as_it_was_and_is_compared_with_the_next(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    before = (folder / "results/exp/trust/conformal.json").read_bytes()
    fresh = loramake(folder, "run", "--name", "exp", "--keep")
    assert "every file of exp is up to date, so nothing is kept" in fresh.stderr
    assert not (folder / "results/exp/runs").exists()
    settings = {**experiment(folder), "conformal_confidence": 0.6}
    (folder / "config.yaml").write_text(yaml.safe_dump({"experiments": {"exp": settings}}))
    done = loramake(folder, "run", "--name", "exp", "--keep", "--cores", CORES)
    assert done.returncode == 0, done.stderr
    (kept,) = (folder / "results/exp/runs").iterdir()
    assert f"loramake compare exp exp/runs/{kept.name} shows what changes" in done.stderr
    assert (kept / "trust/conformal.json").read_bytes() == before
    assert (folder / "results/exp/trust/conformal.json").read_bytes() != before
    made = json.loads(loramake(folder, "compare", "exp", f"exp/runs/{kept.name}", "--json").stdout)
    assert list(made["metrics"]) == ["exp", f"exp/runs/{kept.name}"]
    assert made["differences"][0]["differences"]["roc_auc"]["value"] == 0.0
    assert "Nothing to be done" in snakemake(folder, "results/exp/evaluation/results.json").stdout


def experiment(folder: Path) -> dict[str, object]:
    settings: dict[str, object] = yaml.safe_load((folder / "config.yaml").read_text())["experiments"]["exp"]
    return settings


def test_status_tells_fresh_stale_and_missing_apart_and_who_is_awaited(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    whole = loramake(folder, "status", "--json")
    assert whole.returncode == 0, whole.stderr
    assert {artifact["state"] for artifact in json.loads(whole.stdout)[0]["artifacts"]} == {"fresh"}
    results = folder / "results/exp"
    (results / "plan.yaml").unlink()
    shutil.copytree(results, folder / "results/tried")
    table = loramake(folder, "status")
    assert table.returncode == 3
    assert "plan_preparation" in table.stdout
    assert "not in config.yaml" in table.stdout
    assert loramake(folder, "status", "tried").returncode == 3
    told = {key: value for key, value in experiment(folder).items() if key != "review"}
    (folder / "results/.cache/command_lines").mkdir(parents=True)
    (folder / "results/.cache/command_lines/tried.json").write_text(json.dumps({"settings": told, "overruled": []}))
    known = json.loads(loramake(folder, "status", "tried", "--json").stdout)[0]
    assert known["note"] == ""
    assert {artifact["path"]: artifact["state"] for artifact in known["artifacts"]}[
        "results/tried/task.json"
    ] != "missing"
    artifacts = json.loads(loramake(folder, "status", "exp", "--json").stdout)[0]["artifacts"]
    states = {artifact["path"].removeprefix("results/exp/"): artifact["state"] for artifact in artifacts}
    assert states["plan.yaml"] == "missing"
    assert states["task.json"] == "fresh"
    assert states["report.html"] == states["adapter/adapter_model.safetensors"] == "stale"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["experiments"]["new"] = {**config["experiments"]["exp"], "review": "ask"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    misspelt = loramake(folder, "status", "nw")
    assert (
        misspelt.stderr == "loramake: results/nw does not exist (did you mean new?): loramake status lists what does.\n"
    )


def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for arguments, sentence in (
        (("run",), "there is nothing to run: give --csv PATH"),
        (("run", "--csv", "x.csv", "--name", "../x"), "--name '../x' is not a valid name of an experiment"),
        (("run", "--csv", "x.csv", "--agent-api-key", "ask"), "--agent-api-key ask needs a terminal"),
        (("report", "new"), "new has not been run yet: loramake run --name new runs it."),
    ):
        (tmp_path / "config.yaml").write_text("experiments: {new: {csv: x.csv}}\n")
        done = loramake(tmp_path, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"loramake: {sentence}")
        assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
