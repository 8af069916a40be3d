"""report.html: one self-contained page for a person to look at."""

import base64
from collections.abc import Sequence
from pathlib import Path

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

_LABELS_SHOWN = 20
_PREDICTIONS_SHOWN = 8
_NAMES_SHOWN = 20


def render_report(
    experiment: str,
    profile: str | Path,
    task: str | Path,
    splits: str | Path,
    selected: str | Path,
    rankings_plot: str | Path,
    plan: str | Path,
    verification: str | Path,
    all_data: str | Path,
    balanced: str | Path,
    train_config: str | Path,
    adapter: str | Path,
    predictions: str | Path,
    metrics: str | Path,
    plots: Sequence[str | Path],
    settings: Settings,
    benchmarks: str | Path,
    out: str | Path,
) -> None:
    """Write report.html: task, verdict against the baselines, metrics, plots, settings, where the time went, hashes."""
    signed = [
        profile,
        task,
        splits,
        selected,
        plan,
        verification,
        all_data,
        balanced,
        train_config,
        adapter,
        predictions,
        metrics,
    ]
    measured = artifacts.read(metrics, "metrics")
    planned = artifacts.read(plan, "plan")
    page = render(
        "render_report.html.j2",
        experiment=experiment,
        profile=artifacts.read(profile, "profile"),
        task=artifacts.read(task, "task"),
        rows_by_split=describe_splits(artifacts.read(splits, "splits")),
        plan=planned,
        trained_on=count_labels(artifacts.read(balanced, "records"), planned),
        selected=artifacts.read(selected, "selected_features"),
        verification=artifacts.read(verification, "verification"),
        sample=artifacts.read(all_data, "records")[0],
        settings=settings,
        train_config=artifacts.read(train_config, "lmf_config"),
        metrics=measured,
        shown_metrics=METRICS,
        shown_labels=_LABELS_SHOWN,
        shown_names=_NAMES_SHOWN,
        predictions=artifacts.read(predictions, "predictions")[:_PREDICTIONS_SHOWN],
        rankings_plot=_as_data_url(rankings_plot),
        plots={Path(path).stem: _as_data_url(path) for path in plots},
        seconds=read_timings(benchmarks),
        hashes={str(path): artifacts.sha256(path) for path in signed},
        versions=package_versions(),
    )
    artifacts.write_text(out, page)
    say(f"report: {out}")


def _as_data_url(path: str | Path) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
