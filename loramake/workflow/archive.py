"""Keeps a finished run: a copy of its files under results/{experiment}/runs/, before the next run replaces them.

A copy has a temporary, hidden name until it is complete. Prepared rows are not part of it: they are as large as the
table, and the kept scripts make them again.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from loramake import artifacts, layout
from loramake.errors import ConfigError
from loramake.experiments import RUNS, read_artifact

_PREPARED_ROWS = (
    *(layout.ALL_DATA, layout.TRAIN, layout.VALIDATION, layout.CALIBRATION, layout.TEST),
    layout.BALANCED,
)
_INCOMPLETE = ".incomplete-"


def archive(folder: Path) -> Path:
    """The copy of the finished run in an experiment's folder, named by when it finished; it may exist already.

    ConfigError if a file has been replaced or deleted since, or the copy cannot be written.
    """
    results = layout.RESULTS.within(folder)
    _check_whole(folder)
    finished = datetime.fromtimestamp(results.stat().st_mtime, UTC)
    out = folder / RUNS / f"{finished:%Y-%m-%dT%H-%M-%SZ}"
    for left in out.parent.glob(f"{_INCOMPLETE}*"):
        shutil.rmtree(left)
    if not out.exists():
        _copy(folder, out)
    return out


def _check_whole(folder: Path) -> None:
    """Raise ConfigError unless every file is the one whose hash results.json contains."""
    listed = read_artifact(folder, layout.RESULTS)["artifacts"]
    digests = {"/".join(Path(path).parts[2:]): digest for path, digest in listed.items()}
    for file in layout.FILES.values():
        path = file.within(folder)
        if file.path in digests and not (path.is_file() and artifacts.sha256(path) == digests[file.path]):
            raise ConfigError(
                f"{path} is not the one of the finished run any more, so that run cannot be kept: run the same "
                "command without --keep."
            )


def _copy(folder: Path, out: Path) -> None:
    temporary = out.with_name(f"{_INCOMPLETE}{out.name}")
    try:
        for file in layout.FILES.values():
            if file not in _PREPARED_ROWS and file.within(folder).is_file():
                copy = file.within(temporary)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file.within(folder), copy)
        temporary.rename(out)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise ConfigError(
            f"{out} cannot be written ({error.strerror}): make room, or run the same command without --keep."
        ) from error
