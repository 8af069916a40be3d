"""The experiments of a working folder: those that config.yaml lists and those that lie under results/."""

from pathlib import Path

from loramake.config import read_config
from loramake.errors import ConfigError, nearest

RESULTS = Path("results")


def find_experiments() -> list[str]:
    """Names, in the order of config.yaml, then those of other folders under results/ by name."""
    listed = [str(name) for name in read_config().get("experiments") or {}]
    folders = sorted(path.parent.name for path in RESULTS.glob("*/profile.json"))
    return list(dict.fromkeys([*listed, *folders]))


def find_experiment(named: str) -> Path:
    """The folder of an experiment, called by its name or folder; ConfigError, with the nearest name, without one."""
    name = Path(named).name
    folder = RESULTS / name
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not there{nearest(name, find_experiments())}: loramake status lists what is.")
    return folder


def find_artifact(folder: Path, name: str) -> Path:
    """A file of an experiment; ConfigError, with the command that makes it, where it is not there."""
    path = folder / name
    if not path.is_file():
        target = folder / "evaluation/results.json"
        raise ConfigError(f"{path} is not there: snakemake --cores 2 {target} makes it.")
    return path
