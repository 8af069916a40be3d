"""What is kept beside the experiments."""

from typing import Any, TypedDict


class CommandLineContent(TypedDict):
    """What `loramake run` was last told of an experiment."""

    settings: dict[str, Any]
    overruled: list[str]


SourceHash = list[int | str]
"""Size, time modified (ns), time changed (ns), sha256."""
