"""model_card.md: what a stranger who gets the adapter has to know, in the form that model hubs read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from loramake import artifacts
from loramake.rendering import render
from loramake.report import FILES, METRICS, read_history
from loramake.results import package_versions
from loramake.splits import describe_splits

_LABELS_SHOWN = 20
_NAMES_SHOWN = 20


def write_model_card(experiment: str, files: Mapping[str, str | Path], history: str | Path, out: str | Path) -> None:
    """Write model_card.md from the artifacts that the report is made of."""
    names = ("profile", "task", "splits", "plan", "verification", "train_config", "metrics")
    trust = ("calibration_measures", "conformal", "risk", "costs", "audit", "robustness")
    read = {name: artifacts.read(files[name], FILES[name] or "") for name in (*names, *trust)}
    page = render(
        "render_report/model_card.md.j2",
        experiment=experiment,
        front_matter=yaml.safe_dump(front_matter(read), allow_unicode=True, sort_keys=False),
        rows_by_split=describe_splits(read["splits"]),
        history=read_history(history),
        shown_metrics=METRICS,
        shown_labels=_LABELS_SHOWN,
        shown_names=_NAMES_SHOWN,
        versions=package_versions(),
        **read,
    )
    artifacts.write_text(out, page.lstrip())


def front_matter(read: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that Hugging Face's hub reads (huggingface.co/docs/hub/model-cards)."""
    return {
        "base_model": read["train_config"]["model_name_or_path"],
        "library_name": "peft",
        "pipeline_tag": "tabular-classification",
        "tags": ["loramake", "lora", "tabular", read["task"]["task_type"]],
    }
