"""Where the workflow's own files lie: in the repository, or packaged inside the wheel."""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_workflow"
ROOT = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent
SCHEMAS = ROOT / "schemas"
TEMPLATES = ROOT / "templates"
MODELS = ROOT / "models"
"""The base models that come with loramake, called by a name such as models/tiny wherever it is installed."""
APPROVALS = "results/.cache/approvals.jsonl"
"""What people approved, by content, for all experiments of a working folder."""


def locate_model(model: str) -> str:
    """Where a base model lies: its folder as it is or, of a name such as models/tiny, loramake's own; else a hub id."""
    built_in = MODELS / Path(model).name
    is_built_in = not Path(model).is_dir() and model == f"models/{built_in.name}" and built_in.is_dir()
    return str(built_in) if is_built_in else model


def name_model(model: str) -> str:
    """The name of one of loramake's own base models given by its installed path; else `model` as it is."""
    path = Path(model).resolve()
    name = f"models/{path.name}"
    is_own = path.parent == MODELS.resolve() and path.is_dir() and Path(locate_model(name)).resolve() == path
    return name if is_own else model
