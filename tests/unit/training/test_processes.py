"""How many processes train, what starts them, and which are refused before the first step."""

import sys
from pathlib import Path
from typing import Any

import pytest

from loramake.errors import ConfigError
from loramake.training.processes import check_processes, training_command


def command(gpus: int, nodes: int, **settings: Any) -> str:
    return " ".join(training_command(settings, {"gpus": gpus, "nodes": nodes}, 4))


def test_one_process_is_llamafactory_itself_and_several_are_started_by_torchrun() -> None:
    assert command(1, 1) == f"{sys.executable} -P -m loramake.llm.training_process"
    several = command(2, 1)
    assert several.startswith(f"{sys.executable} -P -m loramake.llm.training_launcher --nnodes=1 --nproc-per-node=2 ")
    assert several.endswith("--master-addr=127.0.0.1 -m loramake.llm.training_process")


@pytest.mark.parametrize("settings", [{"deepspeed": "ds.json"}, {"fsdp": "full_shard"}])
def test_what_shares_a_training_out_needs_torchrun_for_one_process_too(settings: dict[str, str]) -> None:
    assert "training_launcher --nnodes=1 --nproc-per-node=1 " in command(1, 1, **settings)


def test_each_node_of_a_job_has_a_launcher() -> None:
    assert command(4, 2).startswith("srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=4 ")
    assert "--nnodes=2 --nproc-per-node=4 " in command(4, 2)
    assert "127.0.0.1" not in command(4, 2)


def test_what_cannot_be_started_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"nodes: 2 needs SLURM, .* or set nodes to 1"):
        check_processes(1, 2, {}, has_nodes=False)
    check_processes(1, 2, {}, has_nodes=True)
    with pytest.raises(ConfigError, match="fsdp shares a model out among processes, and there is one: set gpus to 2"):
        check_processes(1, 1, {"fsdp": "full_shard"}, has_nodes=True)
    check_processes(2, 1, {"fsdp": "full_shard"}, has_nodes=True)


def test_deepspeed_has_to_be_installed_and_its_file_to_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "deepspeed" else name)
    with pytest.raises(
        ConfigError, match=r"deepspeed needs the package of that name, which is not installed: .* -m pip"
    ):
        check_processes(1, 1, {"deepspeed": {}}, has_nodes=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ConfigError, match=r"deepspeed: ds\.json does not exist: write the path"):
        check_processes(1, 1, {"deepspeed": "ds.json"}, has_nodes=True)
    Path("ds.json").write_text("{}")
    check_processes(1, 1, {"deepspeed": "ds.json"}, has_nodes=True)
    check_processes(1, 1, {"deepspeed": {"zero_optimization": {"stage": 2}}}, has_nodes=True)
