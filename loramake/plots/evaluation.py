"""Confusion matrix, ROC and precision–recall curves, loss curve."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.training import LoggedStep
from loramake.evaluation.areas import mean_areas
from loramake.evaluation.metrics import confusion_matrix
from loramake.evaluation.scores import LORAMAKE, Scores, name_model, read_scores
from loramake.plots.figure import (
    BLUE,
    FAINT,
    GREY,
    GRID,
    INK,
    LINES,
    ON_BLUE,
    WIDTH,
    explain_below,
    figure,
    readable,
    say_instead,
)
from loramake.tasks import Task, read_task

MAX_LABELS_WITH_NUMBERS = 20
"""With more labels, a confusion matrix has only colours."""
MAX_LABELS_WITH_CURVES = 6
"""With more labels, loramake's ROC curve is only the average."""

_BLUES = LinearSegmentedColormap.from_list("blues", [to_rgba(BLUE, 0), to_rgba(BLUE)])
"""From what is behind to blue, so that a matrix is as readable on a dark page."""
_MAX_TICKS = 40
_MARKERS_UP_TO = 30


def plot_evaluation(
    task: str | Path,
    test: str | Path,
    baselines: str | Path,
    trainer_log: str | Path,
    confusion_matrix_out: str | Path,
    roc_out: str | Path,
    precision_recall_out: str | Path,
    loss_out: str | Path,
) -> None:
    """Draw four pictures: three of the test split, one of training."""
    target_task = read_task(task)
    truth, scores = read_scores(test, baselines, target_task.labels, "test")
    plot_confusion_matrix(confusion_matrix(truth, scores[LORAMAKE]), target_task.labels, confusion_matrix_out)
    plot_roc(target_task, truth, scores, roc_out)
    plot_precision_recall(target_task, truth, scores, precision_recall_out)
    lines = artifacts.read(trainer_log, schemas.TRAINER_LOG)
    plot_loss(lines, loss_out)


def plot_confusion_matrix(
    matrix: Codes, labels: Sequence[str], path: str | Path, title: str = "Confusion matrix of the test split"
) -> None:
    """Rows and shares of each true label, by predicted label; `matrix` is (labels, labels), true labels as rows."""
    count = len(labels)
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    side = min(max(0.44 * count, 2.6), 9.0)
    with figure(path, side + WIDTH - 2.6, side + 1.2) as axes:
        image = axes.imshow(shares, cmap=_BLUES, vmin=0, vmax=1, aspect="auto")
        axes.set(title=title, xlabel="predicted label", ylabel="true label")
        axes.spines[:].set_visible(False)
        _name_cells(axes, labels)
        if count <= MAX_LABELS_WITH_NUMBERS:
            _write_cells(axes, matrix, shares, size=11.0 if count <= 5 else 8.0 if count <= 12 else 7.0)
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, format=lambda share, _: f"{share:.0%}")
        bar.set_label("share of the true label's rows")
        bar.outline.set_visible(False)


def _name_cells(axes: Axes, labels: Sequence[str]) -> None:
    """Label names on both axes, slanted where they are long or many; of very many, only some."""
    positions = range(0, len(labels), -(-len(labels) // _MAX_TICKS))
    names = [readable(labels[position]) for position in positions]
    size = 10.0 if len(labels) <= 12 else 8.0
    slanted = len(labels) > 6 or max(map(len, names)) > 10
    axes.set_yticks(list(positions), names, fontsize=size)
    axes.set_xticks(list(positions), names, fontsize=size)
    if slanted:
        for name in axes.get_xticklabels():
            name.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)


def _write_cells(axes: Axes, matrix: Codes, shares: Floats, size: float) -> None:
    """The rows of each cell and their share; an empty cell is pale, a label without rows has no share."""
    for (true, predicted), rows in np.ndenumerate(matrix):
        share = shares[true, predicted]
        percent = f"\n{share:.0%}" if matrix[true].any() else "\n–"
        colour = ON_BLUE if share > 0.85 else INK if rows else GREY
        axes.text(predicted, true, f"{rows:,}{percent}", ha="center", va="center", color=colour, fontsize=size)


def plot_roc(
    task: Task, truth: Codes, scores: Scores, path: str | Path, title: str = "ROC curves of the test split"
) -> None:
    """One curve per model: of the positive label, or with more than two labels the average one-vs-rest curve.

    `truth` are codes, shape (rows,); `scores` are P(label | row) by model, each (rows, labels).
    """
    with _curves(task, truth, scores, path, _ROC) as axes:
        axes.set(title=title, xlabel="false positive rate", ylabel="true positive rate")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=1)


def plot_precision_recall(
    task: Task,
    truth: Codes,
    scores: Scores,
    path: str | Path,
    title: str = "Precision and recall of the test split",
) -> None:
    """The same for precision by recall; the grey line is the chance level: the label's share of the rows."""
    with _curves(task, truth, scores, path, _PRECISION_RECALL) as axes:
        axes.set(title=title, xlabel="recall", ylabel="precision")
        if ranked := task.ranked_codes(truth):
            chance = float(np.mean([(truth == label).mean() for label in ranked]))
            axes.plot([0, 1], [chance, chance], color=FAINT, linewidth=1, zorder=1)


class _Kind(NamedTuple):
    """One of the two kinds of curves: its points, and the index and name of its area in `mean_areas`."""

    points: Callable[[Codes, Floats, Sequence[int]], tuple[Floats, Floats]]
    area: int
    name: str


@contextmanager
def _curves(task: Task, truth: Codes, scores: Scores, path: str | Path, kind: _Kind) -> Iterator[Axes]:
    """Axes for the specifics of a kind; the models' curves are drawn if the split has at least two labels."""
    ranked = task.ranked_codes(truth)
    with figure(path, WIDTH, 5.9) as axes:
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        yield axes
        if not ranked:
            say_instead(axes, "no curve: the split has fewer than two labels")
            return
        _draw_models(axes, truth, scores, ranked, kind)
        positive = task.positive_label
        if positive is None and len(task.labels) <= MAX_LABELS_WITH_CURVES:
            _draw_labels(axes, truth, scores[LORAMAKE], task.labels, ranked, kind)
        of = (
            "average of one label against the rest"
            if positive is None
            else f"of label {readable(positive)} of {readable(task.target)}"
        )
        explain_below(axes, of)


def _draw_models(axes: Axes, truth: Codes, scores: Scores, ranked: list[int], kind: _Kind) -> None:
    others = iter(LINES * len(scores))
    for name, probabilities in scores.items():
        area = mean_areas(truth, probabilities, ranked)[kind.area]
        colour, dashes = (BLUE, "-") if name == LORAMAKE else next(others)
        axes.plot(
            *kind.points(truth, probabilities, ranked),
            color=colour,
            linestyle=dashes,
            linewidth=2.4 if name == LORAMAKE else 1.6,
            zorder=4 if name == LORAMAKE else 3,
            label=f"{name_model(name)} ({kind.name} {area:.3f})",
        )


def _draw_labels(
    axes: Axes, truth: Codes, probabilities: Floats, labels: Sequence[str], ranked: list[int], kind: _Kind
) -> None:
    """loramake's curve of each label against the rest, in thin lines of increasingly pale blue."""
    for label, opacity in zip(ranked, np.linspace(0.9, 0.4, len(ranked)), strict=True):
        area = mean_areas(truth, probabilities, [label])[kind.area]
        name = f"{LORAMAKE}, {readable(labels[label])} ({kind.name} {area:.3f})"
        axes.plot(
            *kind.points(truth, probabilities, [label]), color=BLUE, alpha=opacity, linewidth=1, zorder=2, label=name
        )


def average_roc(truth: Codes, probabilities: Floats, ranked: Sequence[int]) -> tuple[Floats, Floats]:
    """False and true positive rates of the mean one-vs-rest curve over the labels in `ranked`, each (points,).

    The mean is taken at each false positive rate, below and above a step, so that its area is the mean of the areas.
    """
    curves = [roc_curve(truth == label, probabilities[:, label])[:2] for label in ranked]
    false: Floats = np.unique(np.concatenate([rates for rates, _ in curves]))
    tops, feet = np.zeros_like(false), np.zeros_like(false)
    for rates, hits in curves:
        # Where a curve rises at one rate, interp gives its top; read from right to left, its foot.
        tops += np.interp(false, rates, hits) / len(curves)
        feet += np.interp(-false, -rates[::-1], hits[::-1]) / len(curves)
    return np.repeat(false, 2), np.stack([feet, tops], axis=1).ravel()


def average_precision_recall(truth: Codes, probabilities: Floats, ranked: Sequence[int]) -> tuple[Floats, Floats]:
    """Recall and precision of the mean one-vs-rest curve over the labels in `ranked`, each (points,).

    A curve is a staircase, as average precision takes it: between two recalls it has the precision of the upper one.
    """
    curves = [precision_recall_curve(truth == label, probabilities[:, label])[:2] for label in ranked]
    recall: Floats = np.unique(np.concatenate([recalls for _, recalls in curves]))
    mean = np.zeros(len(recall) - 1)
    for precision, recalls in curves:
        ends, first = np.unique(recalls[::-1], return_index=True)
        steps = np.searchsorted(ends, recall[1:])
        mean += precision[::-1][first][steps] / len(curves)
    return np.repeat(recall, 2)[1:-1], np.repeat(mean, 2)


_ROC = _Kind(average_roc, 0, "AUC")
_PRECISION_RECALL = _Kind(average_precision_recall, 1, "AP")


def plot_loss(lines: Sequence[LoggedStep], path: str | Path, title: str = "Loss during training") -> None:
    """The training loss by step, and the validation loss where it was measured, from the lines of trainer_log.jsonl."""
    series = {"training": _points(lines, "loss"), "validation": _points(lines, "eval_loss")}
    with figure(path, WIDTH, 3.4) as axes:
        axes.set(title=title, xlabel="step", ylabel="loss (nats a token)")
        if not any(series.values()):
            axes.set(xticks=[], yticks=[])
            say_instead(axes, "no loss was logged")
            return
        for (name, points), (colour, dashes) in zip(series.items(), ((BLUE, "-"), LINES[0]), strict=True):
            if points:
                marker = "o" if len(points) <= _MARKERS_UP_TO else ""
                axes.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, marker=marker, ms=4, label=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0, 1.02 * max(max(line["current_steps"], line["total_steps"]) for line in lines))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        if series["validation"]:
            axes.legend()


def _points(lines: Sequence[LoggedStep], key: Literal["loss", "eval_loss"]) -> list[tuple[int, float]]:
    """Step and value of the lines that have a finite one."""
    values = [(line["current_steps"], line.get(key)) for line in lines]
    return [(step, value) for step, value in values if value is not None and isfinite(value)]
