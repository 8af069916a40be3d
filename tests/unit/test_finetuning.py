"""What can be told of a training without training: the tests of the workflow train for real."""

import io
import json
from pathlib import Path

import pytest

from loramake.errors import TrainingError
from loramake.finetuning import follow, is_complete_checkpoint, locked, read_trainer_log, set_broken_checkpoints_aside


def make_checkpoint(work: Path, step: int, state: str = '{"global_step": 1}') -> Path:
    checkpoint = work / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt"):
        (checkpoint / name).write_bytes(b"x")
    (checkpoint / "trainer_state.json").write_text(state, encoding="utf-8")
    return checkpoint


def test_a_checkpoint_is_complete_with_a_whole_state_and_weights(tmp_path: Path) -> None:
    assert is_complete_checkpoint(make_checkpoint(tmp_path, 1))
    assert not is_complete_checkpoint(make_checkpoint(tmp_path, 2, '{"global_st'))
    empty = make_checkpoint(tmp_path, 3)
    (empty / "optimizer.pt").write_bytes(b"")
    assert not is_complete_checkpoint(empty)


def test_a_checkpoint_that_a_kill_left_broken_is_set_aside_and_older_ones_stay(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 10)
    make_checkpoint(tmp_path, 20, "")
    set_broken_checkpoints_aside(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken-checkpoint-20", "checkpoint-10"]


def test_two_trainings_of_the_same_data_do_not_race(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "abc"),
        pytest.raises(TrainingError, match="another training of the same data still runs"),
        locked(tmp_path / "abc"),
    ):
        pass
    with locked(tmp_path / "abc"):
        pass


def test_the_trainers_bar_moves_the_progress_and_other_lines_are_kept() -> None:
    output = (
        b"loading\nRunning tokenizer: 100%|####| 8/8 [00:00<00:00]\n"
        b"  0%|          | 0/3 [00:00<?, ?it/s]\r 33%|###       | 1/3 [00:01<00:02]\r"
        b"{'loss': 1.0}\n100%|##########| 3/3 [00:03<00:00]\nRuntimeError: boom"
    )
    seen: list[tuple[int, int]] = []
    last = follow(io.BytesIO(output), lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    assert seen == [(0, 3), (1, 3), (3, 3)]
    assert last == "RuntimeError: boom"


def test_a_resumed_trainings_log_has_each_step_once(tmp_path: Path) -> None:
    lines = [
        {"current_steps": step, "total_steps": 3, "loss": loss}
        for step, loss in ((1, 9.0), (2, 8.0), (2, 7.0), (3, 6.0))
    ]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert [line["loss"] for line in read_trainer_log(tmp_path)] == [9.0, 7.0, 6.0]


def test_a_training_too_short_to_log_has_an_empty_log(tmp_path: Path) -> None:
    assert read_trainer_log(tmp_path) == []
