"""report.html: one self-contained page for a person to look at."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.config import Settings
from loramake.console import say
from loramake.rendering import render
from loramake.results import package_versions
from loramake.splits import describe_splits
from loramake.timings import read_timings
from loramake.verification import count_labels

METRICS = ("roc_auc", "accuracy", "balanced_accuracy", "f1_macro", "mcc", "pr_auc", "log_loss")
"""What the page's main table shows; metrics.json has them all."""

FILES = {
    "profile": "profile",
    "task": "task",
    "splits": "splits",
    "selected": "selected_features",
    "plan": "plan",
    "verification": "verification",
    "all_data": "records",
    "balanced": "records",
    "train_config": "lmf_config",
    "adapter": None,
    "predictions": "predictions",
    "metrics": "metrics",
}
"""The artifacts that the page speaks of and signs, with their schemas; the adapter is signed only."""

_LABELS_SHOWN = 20
_PREDICTIONS_SHOWN = 8
_NAMES_SHOWN = 20


def render_report(
    experiment: str,
    files: dict[str, str | Path],
    rankings_plot: str | Path,
    plots: Sequence[str | Path],
    settings: Settings,
    benchmarks: str | Path,
    transcripts: str | Path,
    out: str | Path,
) -> None:
    """Write report.html: task, verdict against the baselines, metrics, plots, settings, where the time went, hashes.

    `files` are the artifacts that FILES names, by those words; `transcripts` the folder of what an LLM was asked.
    """
    read = {name: artifacts.read(files[name], schema) for name, schema in FILES.items() if schema}
    page = render(
        "render_report.html.j2",
        experiment=experiment,
        rows_by_split=describe_splits(read["splits"]),
        trained_on=count_labels(read["balanced"], read["plan"]),
        sample=read["all_data"][0],
        settings=settings,
        shown_metrics=METRICS,
        shown_labels=_LABELS_SHOWN,
        shown_names=_NAMES_SHOWN,
        shown_predictions=_PREDICTIONS_SHOWN,
        rankings_plot=_as_data_url(rankings_plot),
        plots={Path(path).stem: _as_data_url(path) for path in plots},
        seconds=read_timings(benchmarks),
        hashes={str(path): artifacts.sha256(path) for path in files.values()},
        versions=package_versions(),
        transcripts=read_transcripts(transcripts),
        **read,
    )
    artifacts.write_text(out, page)
    say(f"report: {out}")


def read_transcripts(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """By step, in the order of the steps: what a model was asked and answered; {} where none was asked."""
    paths = sorted(Path(folder).glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    read = {path.stem: artifacts.read(path, "transcript") for path in paths}
    return {step: lines for step, lines in read.items() if lines}


def _as_data_url(path: str | Path) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
