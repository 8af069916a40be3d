"""Where the workflow's own files lie: in the repository, or packaged inside the wheel."""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_workflow"
ROOT = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent
SCHEMAS = ROOT / "schemas"
TEMPLATES = ROOT / "templates"
APPROVALS = "results/.cache/approvals.jsonl"
"""What people approved, by content, for all experiments of a working folder."""
