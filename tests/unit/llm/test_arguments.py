"""LlamaFactory's names, read from the real LlamaFactory."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from loramake.errors import ConfigError
from loramake.llm.arguments import check_extra, check_template, read_names, shared_arguments

pytest.importorskip("llamafactory", reason="needs the training extra")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the cache, which is written once, since the previous one was damaged."""
    folder = tmp_path_factory.mktemp("cache")
    damaged = folder / f"llamafactory-{version('llamafactory')}-transformers-{version('transformers')}.json"
    damaged.write_text('{"templates": [', encoding="utf-8")
    read_names(folder)
    return folder


def test_the_answer_is_remembered_and_read_without_torch(cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from loramake.llm.arguments import read_names; "
        "names = read_names(Path(sys.argv[1])); print(len(names['templates']), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cache)], capture_output=True, text=True, check=True)
    count, imported = done.stdout.split()
    assert int(count) > 100
    assert imported == "False"
    assert done.stderr == ""


def test_a_misspelt_template_names_the_nearest(cache: Path) -> None:
    check_template("qwen3", cache)
    with pytest.raises(ConfigError, match=r"LlamaFactory has no template 'qwem' \(did you mean qwen\?\)"):
        check_template("qwem", cache)


def test_nothing_is_asked_where_no_template_and_no_argument_is_set(tmp_path: Path) -> None:
    check_template(None, tmp_path / "absent")
    assert check_extra({}, False, tmp_path / "absent") == {}
    assert not (tmp_path / "absent").exists()


def test_arguments_of_every_kind_pass_and_what_yaml_misreads_is_put_right(cache: Path) -> None:
    written: dict[str, Any] = {
        "max_grad_norm": "1e-1", "optim": "adafactor", "neftune_noise_alpha": 5, "deepspeed": "ds.json",
        "use_rslora": True, "eval_strategy": False, "fsdp": "full_shard auto_wrap", "max_samples": 9,
        "lr_scheduler_kwargs": {"num_cycles": 2},
    }  # fmt: skip
    assert check_extra(written, False, cache) == {**written, "max_grad_norm": 0.1, "eval_strategy": "no"}


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"erly_stopping_steps": 3}, r"no argument erly_stopping_steps \(did you mean early_stopping_steps\?\)"),
        ({"learning_rate": 1e-4}, "learning_rate is a setting itself: write `learning_rate:` one level up"),
        ({"seed": 1}, "seed is a setting itself"),
        ({"val_size": 0.1}, "val_size cannot be set here: set validation_ratio"),
        ({"bf16": True}, "bf16 cannot be set here: set precision"),
        ({"output_dir": "x"}, "output_dir cannot be set here: loramake sets it itself"),
        ({"hf_hub_token": "hf_x"}, r"hf_hub_token cannot be set here: secrets come from the environment only"),
        ({"default_system": "x"}, "it would change the tokens that were counted"),
        ({"early_stopping_steps": 3}, "early_stopping_steps needs validation rows: set validation_ratio"),
        ({"max_grad_norm": "much"}, "max_grad_norm: 'much' is not a number"),
        ({"use_rslora": "maybe"}, "use_rslora: 'maybe' is not true or false"),
        ({"max_steps": 1.5}, "max_steps: 1.5 is not a whole number"),
        ({"lr_scheduler_kwargs": [1]}, r"lr_scheduler_kwargs: \[1\] is not"),
        ({"eval_strategy": "step"}, r"eval_strategy: 'step' is not one of no, steps, epoch \(did you mean steps\?\)"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_what_to_do_next(
    cache: Path, extra: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_extra(extra, False, cache)


def test_arguments_of_the_model_count_when_predicting_too(cache: Path) -> None:
    extra = {"double_quantization": False, "max_grad_norm": 0.5}
    assert shared_arguments(extra, cache) == {"double_quantization": False}
