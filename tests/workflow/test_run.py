"""The whole path with the real command, real LlamaFactory and a real terminal."""

import contextlib
import functools
import math
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pexpect
import pytest

from loramake import artifacts
from loramake.training.finetuning import newest_checkpoint
from tests.conftest import BIN, CORES, ROOT, make_workplace, snakemake

RESULTS = "results/exp/evaluation/results.json"


def test_three_classes_end_to_end_give_a_probability_for_every_label(finished: Path) -> None:
    results = artifacts.read(finished / RESULTS, "results")
    assert results["labels"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert results["task_type"] == "multiclass"
    lines = artifacts.read(finished / "results/exp/predictions/test.jsonl", "predictions")
    assert len(lines) == results["rows"]["test"]
    for line in lines:
        assert list(line["probabilities"]) == results["labels"]
        assert math.isclose(sum(line["probabilities"].values()), 1.0, abs_tol=1e-6)
    assert set(results["test"]) == {"loramake", "majority", "logistic_regression", "hist_gradient_boosting"}


def test_every_artifact_is_signed_with_its_hash(finished: Path) -> None:
    results = artifacts.read(finished / RESULTS, "results")
    assert len(results["artifacts"]) >= 35
    for path, digest in results["artifacts"].items():
        assert artifacts.sha256(finished / path) == digest


def test_nothing_of_the_machine_is_in_an_artifact(finished: Path) -> None:
    for path in artifacts.read(finished / RESULTS, "results")["artifacts"]:
        assert str(finished).encode() not in (finished / path).read_bytes(), path
        assert str(ROOT).encode() not in (finished / path).read_bytes(), path


def test_no_training_row_is_left_outside_results(finished: Path) -> None:
    assert (finished / "results/exp/.cache/datasets").is_dir()
    assert not list((finished / "results/exp/.cache/training").glob("*")), "a finished training clears its checkpoints"


def test_the_report_is_self_contained(finished: Path) -> None:
    page = (finished / "results/exp/report.html").read_text(encoding="utf-8")
    assert "predicting species" in page
    assert "gradient boosting" in page
    assert 'src="http' not in page
    assert page.count('src="data:image/svg+xml;base64,') == 8


def test_the_same_seed_gives_the_same_bytes_up_to_training_and_another_seed_other_splits(
    finished: Path, tmp_path: Path
) -> None:
    first = finished / "results/exp"
    for seed in (42, 43):
        folder = make_workplace(tmp_path / str(seed), Path("penguins.csv"), seed=seed)
        (folder / "penguins.csv").write_bytes((finished / "penguins.csv").read_bytes())
        done = snakemake(folder, f"results/exp/{'review/config.json' if seed == 42 else 'splits.csv'}")
        assert done.returncode == 0, done.stdout
    same = tmp_path / "42/results/exp"
    made = [path.relative_to(same) for path in same.rglob("*") if path.is_file()]
    made = [path for path in made if path.parts[0] not in ("logs", "benchmarks", ".cache")]
    made = [path for path in made if path.name != "history.jsonl"]  # it says when
    assert len(made) == 27
    assert [path for path in made if (same / path).read_bytes() != (first / path).read_bytes()] == []
    assert (tmp_path / "43/results/exp/splits.csv").read_bytes() != (first / "splits.csv").read_bytes()


def test_an_experiment_that_the_configuration_does_not_list_runs_from_the_command_line(tmp_path: Path) -> None:
    folder = make_workplace(tmp_path)
    target = "results/other/configs/train.yaml"
    csv = f"csv={ROOT}/data/diabetes.csv"
    done = snakemake(
        folder, target, "--config", csv, "review=approve", "use_dora=true", "learning_rate=1e-4", "balance=undersample",
        "extra_training_args={max_grad_norm: 0.5}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert artifacts.read(folder / "results/other/task.json", "task")["target"] == "Outcome"
    config = artifacts.read(folder / target, "lmf_config")
    assert (config["use_dora"], config["learning_rate"], config["max_grad_norm"]) == (True, 1e-4, 0.5)
    before, after = (
        len(artifacts.read(folder / f"results/other/data/{name}.json", "records"))
        for name in ("train", "balanced_data")
    )
    assert after < before


def test_titanics_leak_is_dropped_before_anything_is_planned(tmp_path: Path) -> None:
    folder = make_workplace(tmp_path, ROOT / "data/titanic.csv")
    done = snakemake(folder, "results/exp/plan.yaml")
    assert done.returncode == 0, done.stdout
    plan = artifacts.read(folder / "results/exp/plan.yaml", "plan")
    assert plan["target"] == "survived"
    assert "alive" not in [feature["name"] for feature in plan["features"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--config", "csv=nowhere.csv"], "nowhere.csv does not exist: correct its path"),
        (["--config", "csv=."], "is a folder: set csv to a file"),
        (["--config", "learnig_rate=1"], "learnig_rate is not a setting (did you mean learning_rate?)"),
        (["--config", "test_ratio=1"], "test_ratio"),
    ],
)
def test_what_can_be_refused_is_refused_before_a_job_starts_and_nothing_is_lost(
    copy_of_finished: Callable[[], Path], arguments: list[str], sentence: str
) -> None:
    folder = copy_of_finished()
    before = {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()}
    done = snakemake(folder, RESULTS, *arguments)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout
    assert {path: path.read_bytes() for path in before} == before


def test_feedback_reruns_its_own_step_and_what_follows_and_wins_over_the_experiment(
    copy_of_finished: Callable[[], Path],
) -> None:
    folder = copy_of_finished()
    feedback = folder / "results/exp/feedback/config.yaml"
    feedback.parent.mkdir()
    feedback.write_text("num_train_epochs: 2\n", encoding="utf-8")
    done = snakemake(folder, "--dry-run", RESULTS)
    assert "generate_lmf_config" in done.stdout
    assert "execute_balance_code" not in done.stdout
    done = snakemake(folder, "results/exp/configs/train.yaml")
    assert done.returncode == 0, done.stdout
    assert artifacts.read(folder / "results/exp/configs/train.yaml", "lmf_config")["num_train_epochs"] == 2


def test_a_killed_training_goes_on_from_its_last_whole_checkpoint(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    settings = ["--config", "num_train_epochs=4", "save_steps=5", "logging_steps=1"]
    command = [str(BIN / "snakemake"), "--snakefile", str(ROOT / "Snakefile"), "--cores", CORES, RESULTS, *settings]
    run = subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    training = folder / "results/exp/.cache/training"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list(training.glob("*/checkpoint-*/trainer_state.json")):
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    (checkpoint, *_) = training.glob("*/checkpoint-*")
    broken = checkpoint.with_name("checkpoint-9999")
    broken.mkdir()
    (broken / "trainer_state.json").write_text('{"global', encoding="utf-8")
    done = snakemake(folder, "--unlock", RESULTS)
    done = snakemake(folder, RESULTS, *settings)
    assert done.returncode == 0, done.stdout
    assert "checkpoint-9999 is incomplete and is not resumed from" in done.stdout
    assert "resuming from checkpoint-" in done.stdout
    steps = [
        line["current_steps"]
        for line in artifacts.read(folder / "results/exp/adapter/trainer_log.jsonl", "trainer_log")
    ]
    assert steps == sorted(steps)
    assert steps[0] == 1


def stop(folder: Path, when: Callable[[], bool], *command: str) -> str:
    """What a command prints on a terminal from Ctrl-C on, without its progress."""
    person = pexpect.spawn(
        str(BIN / command[0]), list(command[1:]), cwd=str(folder), encoding="utf-8", timeout=300, dimensions=(50, 200),
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored in the background
    )  # fmt: skip
    printed, deadline = "", time.monotonic() + 300
    while not when() and time.monotonic() < deadline:
        with contextlib.suppress(pexpect.TIMEOUT):
            printed += person.read_nonblocking(10_000, timeout=0.2)
    person.send("\x03")
    person.expect(pexpect.EOF)
    person.close()
    assert person.exitstatus == 1, printed + person.before
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", person.before)
    return shown[max(0, shown.find("loramake: stopped")) :].strip()


STOPPED = "loramake: stopped by you; run the same command to continue."


def test_ctrl_c_in_a_training_saves_a_checkpoint_and_is_one_sentence(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    training = folder / "results/exp/.cache/training"
    options = ("--snakefile", str(ROOT / "Snakefile"), "--cores", CORES, RESULTS, "--config", "num_train_epochs=20")
    said = stop(folder, lambda: bool(list(training.glob("*/trainer_log.jsonl"))), "snakemake", *options)
    assert said == STOPPED
    assert newest_checkpoint(training)
    assert not list((folder / ".snakemake/locks").glob("*"))
    early = stop(
        folder, lambda: bool(list((folder / ".snakemake/locks").glob("*"))), "loramake", "run", "--name", "exp"
    )
    assert early == STOPPED


def test_a_terminal_that_is_closed_leaves_no_lock(tmp_path: Path) -> None:
    shutil.copy(ROOT / "data/penguins.csv", tmp_path)
    folder = make_workplace(tmp_path, Path("penguins.csv"))
    locks = folder / ".snakemake/locks"
    person = pexpect.spawn(str(BIN / "loramake"), ["run", "--name", "exp"], cwd=str(folder), encoding="utf-8")
    person.expect("✓  1/", timeout=300)
    assert list(locks.glob("*"))
    person.close()
    end = time.monotonic() + 60
    while list(locks.glob("*")) and time.monotonic() < end:
        time.sleep(0.2)
    assert snakemake(folder, "--dry-run", RESULTS).returncode == 0


def test_the_training_configuration_runs_by_hand(copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    for config in ("train", "predict_test"):
        command = [str(BIN / "llamafactory-cli"), "train", f"results/exp/configs/{config}.yaml"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    predicted = (folder / "results/exp/.cache/predict_test/generated_predictions.jsonl").read_text(encoding="utf-8")
    assert len(predicted.splitlines()) == len(artifacts.read(folder / "results/exp/data/test.json", "records"))


def test_a_data_set_too_small_to_log_a_step_trains_and_reports(tmp_path: Path) -> None:
    table = pd.read_csv(ROOT / "data/heart.csv").groupby("HeartDisease").head(20)
    table.to_csv(tmp_path / "small.csv", index=False)
    folder = make_workplace(tmp_path, Path("small.csv"), logging_steps=100, balance="oversample", validation_ratio=0.1)
    done = snakemake(folder, RESULTS)
    assert done.returncode == 0, done.stdout
    assert artifacts.read(folder / "results/exp/data/validation.json", "records")
    assert (folder / "results/exp/report.html").is_file()
