"""Trainings that need what a real model needs: a hub, a disk, an early end; and what is refused before any job."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loramake import artifacts
from loramake.llm.training_process import ASKED_TO_END, TERMINATED
from loramake.training.finetuning import publish
from tests.conftest import BIN, ROOT, make_workplace, snakemake
from tests.hub import serving
from tests.trainings import make_training

TINY = ROOT / "models/tiny"
CANARY = "hf_CanaryCanaryCanary"
TRAIN = """
import sys
from pathlib import Path
from loramake.console import step
from loramake.training.finetuning import run_finetuning
results = Path("results/exp")
with step(results / "log"):
    own = {"model": sys.argv[1], "trust_remote_code": False, "extra_training_args": {}}
    own |= {"gpus": int(sys.argv[2]), "nodes": 1}
    run_finetuning(results / "configs/train.yaml", own, "fp32", "disabled", 1, results / "adapter")
"""
PREDICT = """
from loramake.llm.scorer import load_scorer
settings = {"model_name_or_path": "acme/tiny", "stage": "sft", "finetuning_type": "lora", "cutoff_len": 64}
with step(results / "predict_log"):
    scorer = load_scorer(settings, "results/exp/adapter")
    print(scorer.probabilities([{"instruction": "sick:", "input": "age <b3>", "row": 0}], ["no", "yes"]).sum())
"""


def test_a_hub_model_is_downloaded_trained_and_loaded_and_the_token_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_training(Path("results/exp"), "acme/tiny")
    with serving({"acme/tiny": TINY}) as hub:
        variables = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_TOKEN": CANARY,
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-c", TRAIN + PREDICT, "acme/tiny", "1"]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        weights = [path for method, path, _ in hub.asked if method == "GET" and path.endswith("model.safetensors")]
    assert len(weights) == 1
    assert float(done.stdout) == pytest.approx(1.0)
    assert "downloading acme/tiny: 6 of 6 MB" in done.stderr
    assert "trained 8 steps" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    for path in (tmp_path / "results").rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path


def test_a_training_that_gets_no_better_stops_early_and_its_best_adapter_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    course = {"learning_rate": 0.3, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "num_train_epochs": 5}
    extra = {"extra_training_args": {"early_stopping_steps": 1}}
    config = make_training(Path("results/exp"), str(TINY), validation=16, save_steps=1, **course, **extra)
    variables = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **variables}
    command = [str(BIN / "llamafactory-cli"), "train", str(config), "output_dir=work"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    publish(Path("work"), Path("adapter"), "acme/tiny")
    log = artifacts.read("adapter/trainer_log.jsonl", "trainer_log")
    losses = {line["current_steps"]: line["eval_loss"] for line in log if "eval_loss" in line}
    best = min(losses, key=lambda at: losses[at])
    assert best + 1 == max(losses) < log[0]["total_steps"]
    published = Path("adapter/adapter_model.safetensors").read_bytes()
    assert published == Path(f"work/checkpoint-{best}/adapter_model.safetensors").read_bytes()
    assert published != Path(f"work/checkpoint-{best + 1}/adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize(("gpus", "steps"), [(1, 160), (2, 80)])
def test_a_training_that_is_asked_to_end_saves_a_checkpoint_and_the_next_run_resumes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int, steps: int
) -> None:
    monkeypatch.chdir(tmp_path)
    make_training(Path("results/exp"), str(TINY), num_train_epochs=20, save_steps=5000)
    command = [sys.executable, "-c", TRAIN, str(TINY), str(gpus)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any(Path("results/exp/.cache/training").glob("*/trainer_log.jsonl")):
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == TERMINATED, said
    checkpoint = re.findall(rf"loramake: {re.escape(ASKED_TO_END)} the next run resumes from (checkpoint-\d+)", said)
    assert len(checkpoint) == 1, said
    assert not Path("results/exp/adapter").exists()
    assert not any(Path("results/exp/.cache/training").glob("*/train_results.json"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"resuming from {checkpoint[0]}." in done.stderr
    assert f"trained {steps} steps" in done.stderr


def test_a_disk_that_is_full_at_a_checkpoint_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_training(Path("results/exp"), str(TINY), save_steps=1)
    Path("results/exp/.cache/training").mkdir(parents=True)
    mount = 'mount -t tmpfs -o size=256k none results/exp/.cache/training && exec "$@"'
    wrapped = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*wrapped, "true"], check=False).returncode != 0:
        pytest.skip("needs user namespaces")
    done = subprocess.run(
        [*wrapped, sys.executable, "-c", TRAIN, str(TINY), "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("loramake: no space is left on the disk of results/exp/.cache/training/")
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that has not been run, and a model whose weights are cut off."""
    folder = make_workplace(tmp_path_factory.mktemp("workplace"), ROOT / "data/penguins.csv")
    shutil.copytree(TINY, folder / "broken")
    os.truncate(folder / "broken/model.safetensors", 100_000)
    return folder


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["template=qwem"], "template: LlamaFactory has no template 'qwem' (did you mean qwen?)"),
        (["extra_training_args={erly_stopping_steps: 3}"], "did you mean early_stopping_steps?"),
        (["extra_training_args=3"], "extra_training_args"),
        pytest.param(
            ["quantization_bit=4"],
            "quantization_bit: 4 needs bitsandbytes, which is not installed",
            marks=pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="it is installed"),
        ),
        (["nodes=2"], "nodes: 2 needs SLURM, which starts the processes on each"),
        (["extra_training_args={fsdp: full_shard}"], "fsdp shares a model out among processes, and there is one"),
        pytest.param(
            ["extra_training_args={deepspeed: {zero_optimization: {stage: 2}}}"],
            "deepspeed needs the package of that name, which is not installed",
            marks=pytest.mark.skipif(importlib.util.find_spec("deepspeed") is not None, reason="it is installed"),
        ),
        (["model=broken"], "broken/model.safetensors is cut off"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_job_starts(
    workplace: Path, settings: list[str], sentence: str
) -> None:
    done = snakemake(workplace, "results/exp/configs/train.yaml", "--config", *settings)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout
    assert not (workplace / "results/exp").exists()
