"""The training extra (torch, transformers, LlamaFactory): imported where used, so that planning works without it."""

import importlib
import importlib.util
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from loramake.errors import ConfigError
from loramake.paths import ROOT
from loramake.threads import available_cpus, sleeping_threads


def import_training(module: str) -> Any:
    """A module of the training extra (torch, transformers, llamafactory); ConfigError if the extra is absent."""
    fresh = "torch" not in sys.modules
    os.environ |= sleeping_threads(os.environ)
    try:
        imported = importlib.import_module(module)
        if fresh and (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(min(torch.get_num_threads(), available_cpus()))
        return imported
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(f"{package} is needed and cannot be imported ({error}): {install_command()}.") from error


def has_training_extra() -> bool:
    """Whether LlamaFactory is installed; does not import it."""
    return importlib.util.find_spec("llamafactory") is not None


def check_training_extra() -> None:
    """Raise ConfigError, with the command that installs it, if LlamaFactory is not installed; does not import it."""
    if not has_training_extra():
        raise ConfigError(f"the training needs LlamaFactory, which is not installed: {install_command()}.")


def install_command() -> str:
    """What installs the training extra: into a clone or an editable installation of one, or beside a wheel."""
    is_clone = (ROOT / "pyproject.toml").is_file()
    package = shlex.quote(f"{ROOT}[train]") if is_clone else "'loramake[train]'"
    return f"{shlex.quote(sys.executable)} -m pip install {'-e ' if is_clone else ''}{package}"


def check_quantization(bits: int | None, method: str | None = None) -> None:
    """Raise ConfigError if quantization_bit is set and bitsandbytes is not installed; does not import it.

    `method` is LlamaFactory's quantization_method, bnb if unset. Without the training extra nothing is refused:
    another machine will train.
    """
    needed = bits is not None and method in (None, "bnb") and has_training_extra()
    if needed and importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"quantization_bit: {bits} needs bitsandbytes, which is not installed: {sys.executable} -m pip install "
            "'bitsandbytes>=0.43', or leave quantization_bit out."
        )


def check_deepspeed(config: str | dict[str, Any] | None) -> None:
    """Raise ConfigError if DeepSpeed is configured and not installed, or its configuration is a file that is missing.

    Does not import it. Without the training extra nothing is refused: another machine will train.
    """
    if config is not None and has_training_extra() and importlib.util.find_spec("deepspeed") is None:
        raise ConfigError(
            f"extra_training_args: deepspeed needs the package of that name, which is not installed: {sys.executable} "
            "-m pip install deepspeed, or leave it out."
        )
    if isinstance(config, str) and not Path(config).is_file():
        raise ConfigError(
            f"extra_training_args: deepspeed: {config} does not exist: write the path of DeepSpeed's configuration, or "
            "its content as a mapping."
        )
