"""What can be told of a training without training: the tests of the workflow train for real."""

import io
import json
from pathlib import Path

import pytest

from loramake.errors import LoramakeError, TrainingError
from loramake.training.finetuning import (
    check_gpu,
    failure,
    follow,
    is_complete_checkpoint,
    locked,
    publish,
    read_trainer_log,
    set_broken_checkpoints_aside,
)


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
    lines = follow(io.BytesIO(output), lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    assert seen == [(0, 3), (1, 3), (3, 3)]
    assert lines == ["loading", "{'loss': 1.0}", "RuntimeError: boom"]


def test_the_bar_of_an_evaluation_does_not_move_the_progress() -> None:
    output = b"  0%|    | 0/9 [00:00<?]\r 50%|##  | 1/2 [00:00<?]\r100%|####| 2/2 [00:00<?]\r 11%|#   | 1/9 [00:01<?]\r"
    seen: list[tuple[int, int]] = []
    follow(io.BytesIO(output), lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    assert seen == [(0, 9), (1, 9)]


SETTINGS = {
    "model_name_or_path": "acme/tiny", "per_device_train_batch_size": 4, "gradient_accumulation_steps": 8,
    "cutoff_len": 512,
}  # fmt: skip
TRACEBACK = ["ConnectionError: tried again", "Traceback (most recent call last):", '  File "x.py", line 1, in <module>']


@pytest.mark.parametrize(
    ("exit_code", "last", "sentences"),
    [
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
         ["the GPU's memory is too small", "per_device_train_batch_size (now 4)", "gradient_accumulation_steps (now 8)",
          "cutoff_len (now 512)", "quantization_bit: 4 (now unset)"]),
        (-9, "step 3", ["was killed, probably by the kernel because memory ran out", "(now 4)"]),
        (1, "[rank1]: Signal 9 (SIGKILL) received by PID 4242", ["was killed, probably by the kernel"]),
        (1, "OSError: [Errno 122] Disk quota exceeded", ["no space is left on the disk of work"]),
        (1, "ValueError: strange thing.", ["llamafactory-cli failed (exit code 1): ValueError: strange thing."]),
    ],
)  # fmt: skip
def test_a_failed_training_says_why_and_what_to_set(exit_code: int, last: str, sentences: list[str]) -> None:
    said = failure(exit_code, [*TRACEBACK, last], SETTINGS, Path("work"))
    for sentence in sentences:
        assert sentence in said


def test_a_failure_under_torchrun_is_told_by_the_error_and_not_by_the_table_below_it() -> None:
    output = b"\n".join(
        [
            *map(str.encode, TRACEBACK),
            b"[rank0]: ValueError: strange thing",
            b"torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ",
            b"======",
            b"Root Cause (first observed failure):",
            b"  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html",
            b"======",
        ]
    )
    lines = follow(io.BytesIO(output), lambda *_: None)
    assert failure(1, lines, SETTINGS, Path("work")).endswith("[rank0]: ValueError: strange thing.")


def test_quantization_without_bitsandbytes_or_a_gpu_is_refused_before_the_training(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    check_gpu({})
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")
    with pytest.raises(LoramakeError, match=r"quantization_bit: 4 needs (bitsandbytes|a CUDA GPU)"):
        check_gpu({"quantization_bit": 4})
    with pytest.raises(TrainingError, match="quantization_bit: 8 needs a CUDA GPU, and there is none"):
        check_gpu({"quantization_bit": 8, "quantization_method": "hqq"})


def test_an_adapter_whose_weights_are_no_numbers_is_not_published(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file({"a": torch.zeros(2), "b": torch.tensor([1.0, float("nan")])}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(TrainingError, match=r"diverged.*lower learning_rate"):
        publish(tmp_path, tmp_path / "out", "models/tiny")
    assert not (tmp_path / "out").exists()


def test_a_published_adapter_names_its_base_and_not_where_it_lies(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file({"a": torch.zeros(2)}, tmp_path / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"]}
    where = {"base_model_name_or_path": str(tmp_path)}
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **where}), encoding="utf-8")
    (tmp_path / "trainer_state.json").write_text('{"global_step": 1}', encoding="utf-8")
    publish(tmp_path, tmp_path / "out", "models/tiny")
    published = json.loads((tmp_path / "out/adapter_config.json").read_text(encoding="utf-8"))
    assert published == {**config, "base_model_name_or_path": "models/tiny"}


def test_a_resumed_trainings_log_has_each_step_once(tmp_path: Path) -> None:
    lines = [
        {"current_steps": step, "total_steps": 3, "loss": loss}
        for step, loss in ((1, 9.0), (2, 8.0), (2, 7.0), (3, 6.0))
    ]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert [line["loss"] for line in read_trainer_log(tmp_path)] == [9.0, 7.0, 6.0]


def test_a_training_too_short_to_log_has_an_empty_log(tmp_path: Path) -> None:
    assert read_trainer_log(tmp_path) == []
