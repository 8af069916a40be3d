"""A results folder from somebody else runs nothing outside of the sandbox and decides no setting of security.

Every payload touches a file; a control shows, where one can be had, that it would.
"""

# ruff: noqa: E402 - imports wait for importorskip

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the training extra")

from loramake import Predictor, artifacts
from loramake.config import read_trust
from loramake.errors import ArtifactError, ConfigError, LoramakeError, TrainingError
from loramake.feedback import read_feedback
from loramake.llm.adapters import check_adapter
from loramake.llm.arguments import read_names
from loramake.sandbox import bubblewrap
from loramake.serving.predictor import name_here
from loramake.training.config import check_train_config
from loramake.training.finetuning import _work_folder, run_finetuning, training_environment
from tests.conftest import BIN, ROOT
from tests.predictable import make_adapter, make_results
from tests.trainings import make_training
from tests.unit.llm.test_foreign_model import Touch, change, with_code

TINY = ROOT / "models/tiny"
OWN = {"model": str(TINY), "trust_remote_code": False, "gpus": 1, "nodes": 1, "extra_training_args": {}}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def finished_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("workplace"))


@pytest.fixture
def theirs(finished_here: Path, tmp_path: Path) -> Path:
    """results/exp of somebody else, that a test may make malicious; its base lies beside results/."""
    shutil.copytree(finished_here, tmp_path / "theirs/results/exp")
    shutil.copytree(TINY, tmp_path / "theirs/models/tiny")
    return tmp_path / "theirs/results/exp"


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    """The file that a payload makes."""
    return tmp_path / "touched"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(ROOT / "data/heart.csv").head(3)


def change_yaml(path: Path, **keys: Any) -> None:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}), encoding="utf-8")


def loramake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "10000", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(BIN / "loramake"), *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def alter_script(theirs: Path, touched: Path) -> None:
    script = theirs / "scripts/prepare_data.py"
    payload = f"import pathlib\npathlib.Path({str(touched)!r}).touch()\n"
    script.write_text(payload + script.read_text(encoding="utf-8"), encoding="utf-8")


@pytest.mark.skipif(bubblewrap.why_not() is not None, reason="needs bubblewrap")
def test_their_verification_does_not_turn_the_sandbox_off(theirs: Path, touched: Path, rows: pd.DataFrame) -> None:
    alter_script(theirs, touched)
    verification = theirs / "data/verification.json"
    sandbox = json.loads(verification.read_text())["sandbox"]
    change(verification, sandbox={**sandbox, "setting": "none"})
    cell = rows.head(1).to_json(orient="records")
    done = loramake(theirs.parents[2], "predict", str(theirs), "--json", cell)
    assert "NONE, as the configuration says" not in done.stderr
    with_error(lambda: Predictor(theirs).predict(rows))
    assert not touched.exists()
    with_error(lambda: Predictor(theirs, sandbox="none").predict(rows))
    assert touched.exists()


def with_error(act: Any) -> None:
    """Whether a script that cannot write its file fails is its own business."""
    with contextlib.suppress(LoramakeError):
        act()


def test_what_predictions_run_in_is_of_the_callers_own_configuration(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(theirs, mine / "results/exp")
    monkeypatch.chdir(mine)
    own = {"sandbox": "bubblewrap", "experiments": {"exp": {"sandbox": "none", "trust_remote_code": True}}}
    Path("config.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    (theirs.parents[1] / "config.yaml").write_text("sandbox: none\ntrust_remote_code: true\n", encoding="utf-8")
    assert (name_here("exp"), name_here("results/exp"), name_here(theirs)) == ("exp", "exp", None)
    assert read_trust("exp") == {"sandbox": "none", "trust_remote_code": True}
    assert read_trust(None) == read_trust("unlisted") == {"sandbox": "bubblewrap", "trust_remote_code": False}
    Path("config.yaml").unlink()
    assert read_trust(None) == {"sandbox": "auto", "trust_remote_code": False}
    predictor = Predictor(theirs)
    assert (predictor.sandbox, predictor.trust_remote_code) == ("auto", False)
    with pytest.raises(ConfigError, match="Predictor: sandbox"):
        Predictor(theirs, sandbox="off")
    with pytest.raises(ConfigError, match="trust_remote_code: 'no' is neither True nor False"):
        Predictor(theirs, trust_remote_code="no")  # type: ignore[arg-type]


def test_their_predict_configuration_does_not_trust_the_model_it_names(theirs: Path, touched: Path) -> None:
    model = theirs.parents[1] / "models/evil"
    shutil.copytree(TINY, model)
    with_code(model, touched)
    change(model / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    change_yaml(theirs / "configs/predict_test.yaml", trust_remote_code=True, model_name_or_path="models/evil")
    cell = pd.read_csv(ROOT / "data/heart.csv").head(1).to_json(orient="records")
    done = loramake(theirs.parents[2], "predict", str(theirs), "--json", cell)
    assert done.returncode == 1
    assert "models/evil/config.json asks for code of its own (auto_map), which is not run" in done.stderr
    assert not touched.exists()
    trusting = loramake(theirs.parents[2], "predict", str(theirs), "--json", cell, "--trust-remote-code")
    assert touched.exists(), trusting.stderr


def test_of_their_predict_configuration_only_how_base_and_rows_are_read_counts(
    theirs: Path, finished_here: Path, rows: pd.DataFrame, tmp_path: Path
) -> None:
    usual = Predictor(finished_here).predict_proba(rows)
    change_yaml(
        theirs / "configs/predict_test.yaml",
        adapter_name_or_path=str(tmp_path / "other"), adapter_folder="other", cache_dir=str(tmp_path / "cache"),
        export_dir=str(tmp_path / "export"), offload_folder=str(tmp_path / "offload"), model_revision="evil",
        new_special_tokens_config=str(tmp_path / "tokens.yaml"), use_unsloth=True, mixture_of_depths="load",
        vllm_config=str(tmp_path / "vllm.json"), deepspeed=str(tmp_path / "ds.json"), media_dir="/", add_tokens="a,b",
        hf_hub_token="x", trust_remote_code=True, train_from_scratch=True, infer_backend="vllm",
    )  # fmt: skip
    np.testing.assert_allclose(Predictor(theirs).predict_proba(rows), usual, atol=1e-6)


@pytest.mark.parametrize(
    "change_of", [{"template": "${oc.env:HOME}"}, {"infer_dtype": "hub"}, {"flash_attn": "x"}, {"cutoff_len": 10**30}]
)
def test_a_predict_configuration_that_no_loramake_wrote_is_refused_by_name(
    theirs: Path, rows: pd.DataFrame, change_of: dict[str, Any]
) -> None:
    change_yaml(theirs / "configs/predict_test.yaml", **change_of)
    with pytest.raises(ArtifactError, match=r"predict_test\.yaml: "):
        Predictor(theirs).predict(rows)


@pytest.mark.parametrize(
    "change_of",
    [
        {"auto_mapping": {"base_model_class": "Own", "parent_library": "own"}},
        {"megatron_config": {"a": 1}, "megatron_core": "own"},
        {"megatron_core": "own"},
        {"peft_type": "PROMPT_TUNING"},
        {"target_modules": "(a+)+$"},
        {"exclude_modules": "(a+)+$"},
        {"rank_pattern": {"(a+)+$": 1}},
        {"modules_to_save": ["a/b"]},
        {"init_lora_weights": "corda"},
        {"corda_config": {"cache_file": "evil.pt"}},
        {"runtime_config": {"ephemeral_gpu_offload": True}},
        {"r": 10**9},
        {"r": 4096},
        {"layer_replication": [[0, 10**6]]},
        {"anything_else": "own"},
    ],
)
def test_their_adapter_is_a_plain_lora_or_refused_by_name(
    theirs: Path, rows: pd.DataFrame, change_of: dict[str, Any]
) -> None:
    check_adapter(theirs / "adapter")
    change(theirs / "adapter/adapter_config.json", **change_of)
    with pytest.raises(ArtifactError, match=r"adapter_config\.json: "):
        Predictor(theirs).predict(rows)


def test_their_adapters_base_is_not_followed(theirs: Path, rows: pd.DataFrame, touched: Path) -> None:
    usual = Predictor(theirs).predict_proba(rows)
    evil = theirs.parents[1] / "models/evil"
    shutil.copytree(TINY, evil)
    with_code(evil, touched)
    change(theirs / "adapter/adapter_config.json", base_model_name_or_path=str(evil), revision="evil")
    np.testing.assert_array_equal(Predictor(theirs).predict_proba(rows), usual)
    assert not touched.exists()


def test_their_pickled_adapter_is_refused_by_its_name(theirs: Path, rows: pd.DataFrame, touched: Path) -> None:
    torch.save(Touch(touched), theirs / "adapter/adapter_model.bin")
    Predictor(theirs).predict(rows)  # beside safetensors, which are what is loaded
    (theirs / "adapter/adapter_model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"its weights are in adapter_model\.bin, and only safetensors are read"):
        check_adapter(theirs / "adapter")
    shutil.copy(theirs / "adapter/adapter_model.bin", theirs / "adapter/adapter_model.safetensors")
    with pytest.raises(ConfigError, match=r"adapter_model\.safetensors is not a safetensors file, or is damaged"):
        Predictor(theirs).predict(rows)
    assert not touched.exists()


@pytest.mark.parametrize(
    "argument",
    [
        "deepspeed: x.json", "push_to_hub: true", "hub_always_push: 1", "report_to: wandb", "report_to: [wandb]",
        "use_swanlab: true", "swanlab_logdir: x", "trackio_space_id: a/b", "fsdp_config: x.json", "run_name: a/b",
        "accelerator_config: {a: 1}", "logging_dir: /tmp/x", "torch_compile_backend: x", "ray_init_kwargs: {a: b}",
        "ref_model: x", "optim: a/b", "optim_args: x", "export_dir: x", "use_kt: true", "lr_scheduler_kwargs: {a: 1}",
    ],
)  # fmt: skip
def test_their_feedback_sets_no_argument_that_reaches_beyond_the_training(tmp_path: Path, argument: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"extra_training_args: {{{argument}}}\n", encoding="utf-8")
    name = argument.partition(":")[0]
    with pytest.raises(ConfigError, match=rf"config\.yaml: extra_training_args: {name}: feedback may not set it"):
        read_feedback(path)


def test_feedback_still_sets_numbers_and_words_of_the_training(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    plain = {"max_grad_norm": 0.5, "adam_epsilon": "1e-9", "optim": "adamw_torch", "report_to": "tensorboard"}
    path.write_text(yaml.safe_dump({"extra_training_args": {**plain, "use_rslora": True}}), encoding="utf-8")
    assert read_feedback(path)["extra_training_args"] == {**plain, "use_rslora": True}
    for key in ("sandbox: none", "trust_remote_code: true", "agent_api_base: x", "review: approve", "model: x"):
        path.write_text(key, encoding="utf-8")
        with pytest.raises(ConfigError, match="is not feedback for this step"):
            read_feedback(path)


def remember(folder: Path, **settings: Any) -> None:
    """What their results say that `loramake run` was last told."""
    path = folder / "results/.cache/command_lines/exp.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"settings": settings, "overruled": []}), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sandbox", "none"), ("trust_remote_code", True), ("review", "approve"), ("model", "models/evil"),
        ("agent", "openai"), ("agent_api_base", "http://127.0.0.1:1/v1"), ("agent_sees", "samples"),
        ("extra_training_args", {"deepspeed": "x.json"}),
    ],
)  # fmt: skip
def test_what_their_run_was_told_is_not_repeated_where_it_decides_about_security(
    tmp_path: Path, key: str, value: Any
) -> None:
    remember(tmp_path, csv=str(ROOT / "data/heart.csv"), **{key: value})
    done = loramake(tmp_path, "run", "--name", "exp")
    assert done.returncode == 1
    assert f"results/.cache/command_lines/exp.json says {key}: {value}, which no file among results" in done.stderr
    assert not (tmp_path / ".snakemake").exists()


def test_what_their_run_was_told_reaches_snakemake_as_settings_only(tmp_path: Path, touched: Path) -> None:
    evil = tmp_path / "Snakefile=1"
    evil.write_text(f"open({str(touched)!r}, 'w')\n", encoding="utf-8")
    for more in ({f"--snakefile={tmp_path}/Snakefile": 1}, {"experiments": {"exp": {"sandbox": "none"}}}):
        remember(tmp_path, csv=str(ROOT / "data/heart.csv"), **more)
        (tmp_path / "results/exp").mkdir(exist_ok=True)
        for command in (("run", "--name", "exp"), ("status", "exp")):
            done = loramake(tmp_path, *command)
            assert done.returncode != 0
            assert "exp has no csv" in done.stderr or "its settings are unknown" in done.stdout
    assert not touched.exists()


def test_names_that_their_cache_gives_llamafactorys_arguments_are_as_simple_as_ours(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    names = read_names(cache)
    (path,) = cache.iterdir()
    content = json.loads(path.read_text(encoding="utf-8"))
    content["arguments"]["seed"]["schema"] = {"$ref": "http://127.0.0.1:1/schema.json"}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_names(cache) == names


@pytest.mark.parametrize(
    "change_of",
    [
        {"model_name_or_path": "models/evil"}, {"deepspeed": "ds.json"}, {"report_to": "wandb"}, {"dataset": "other"},
        {"dataset_dir": "REMOTE:acme/data"}, {"resume_from_checkpoint": "evil"}, {"push_to_hub": True},
        {"cache_dir": "evil"}, {"eval_dataset": "other"}, {"adapter_name_or_path": "evil"}, {"media_dir": "/"},
        {"tokenized_path": "evil"}, {"max_grad_norm": 2.0}, {"new_special_tokens_config": "evil"},
    ],
)  # fmt: skip
def test_their_training_configuration_keeps_to_the_users_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change_of: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_training(Path("results/exp"), str(TINY), validation=4)
    (key,) = change_of
    own = {**OWN, "extra_training_args": {"max_grad_norm": 0.5} if key == "max_grad_norm" else {}}
    check_train_config(path, own)
    change_yaml(path, **change_of)
    with pytest.raises(ConfigError, match=rf"train\.yaml: {key}: .* is not one of your settings"):
        run_finetuning(path, own, "fp32", "disabled", 1, tmp_path / "adapter")


def test_their_register_of_data_names_files_beside_it_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_training(Path("results/exp"), str(TINY))
    register = Path("results/exp/data/dataset_info.json")
    content = json.loads(register.read_text())
    for entry in ({"script_url": "evil"}, {"hf_hub_url": "acme/data"}, {"file_name": "../../../secret.json"}):
        register.write_text(json.dumps({**content, "train": {**content["train"], **entry}}), encoding="utf-8")
        with pytest.raises(ArtifactError, match=r"dataset_info\.json: train"):
            run_finetuning(path, OWN, "fp32", "disabled", 1, tmp_path / "adapter")


def test_their_training_configuration_does_not_trust_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, "evil")
    with_code(Path("evil"), touched)
    change(Path("evil/tokenizer_config.json"), tokenizer_class="OwnTokenizer")
    change(Path("evil/config.json"), model_type="own", auto_map={"AutoConfig": "own.Own"})
    path = make_training(Path("results/exp"), "evil")
    change_yaml(path, trust_remote_code=True)
    with pytest.raises(ConfigError, match=r"evil/config\.json asks for code of its own"):
        run_finetuning(path, {**OWN, "model": "evil"}, "fp32", "disabled", 1, tmp_path / "adapter")
    monkeypatch.setattr("loramake.llm.models._refuse_code", lambda *_: None)  # train.yaml still does not count
    with pytest.raises(TrainingError, match=r"evil needs its own code to be loaded"):
        run_finetuning(path, {**OWN, "model": "evil"}, "fp32", "disabled", 1, tmp_path / "adapter")
    assert not touched.exists()


def test_their_checkpoint_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: Path) -> None:
    monkeypatch.chdir(tmp_path)
    path = make_training(Path("results/exp"), str(TINY))
    overrides = {"trust_remote_code": "false"}
    checkpoint = _work_folder(path, artifacts.read(path, "lmf_config"), overrides, 1) / "checkpoint-1"
    make_adapter(checkpoint)
    state = {
        "global_step": 1,
        "epoch": 0.1,
        "max_steps": 8,
        "num_train_epochs": 1,
        "log_history": [],
        "train_batch_size": 8,
    }
    (checkpoint / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        torch.save(Touch(touched), checkpoint / name)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(TrainingError, match=r"(?i)weights.only|unpickl"):
        run_finetuning(path, OWN, "fp32", "disabled", 1, tmp_path / "adapter")
    load = f"import torch; torch.load({str(checkpoint / 'optimizer.pt')!r}, weights_only=False)"
    settings = artifacts.read(path, "lmf_config")
    environment = training_environment(settings, checkpoint.parent, 1, {"gpus": 1, "nodes": 1}, [])
    done = subprocess.run([sys.executable, "-c", load], env=environment, capture_output=True, text=True, check=False)
    assert "Weights only load failed" in done.stderr
    assert not touched.exists()
    subprocess.run([sys.executable, "-c", load], check=True, capture_output=True)
    assert touched.exists()
