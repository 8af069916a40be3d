"""What is stored outside the experiments."""

from typing import Any, TypedDict


class CommandLineContent(TypedDict):
    """The settings of an experiment from the last `loramake run`."""

    settings: dict[str, Any]
    overruled: list[str]


SourceHash = list[int | str]
"""Size, time modified (ns), time changed (ns), sha256."""
