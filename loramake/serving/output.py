"""Decisions about new rows, written to a file or standard output as they come: CSV or JSON lines."""

import contextlib
import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from loramake import layout
from loramake.console import Advance, printable_json, progress, put, say
from loramake.errors import ConfigError
from loramake.serving.new_rows import Rows
from loramake.serving.predictor import Decisions, Predictor
from loramake.serving.resumable import files_beside, parse_state, resumable_file
from loramake.spreadsheet import write_csv

_FIRST_NAMES = ("row", "decision", "abstain", "reason")
_STARTS = (",".join(_FIRST_NAMES).encode() + b",", b'{"row": 0, "decision": ')
"""What a file of predictions begins with, by which an earlier one is known."""

Line = dict[str, Any]


def check_output(output: Path, source: Path, force: bool) -> None:
    """ConfigError where predictions of the rows in `source` would destroy anything at `output` but earlier ones.

    `force` gives up any other file there, though never the rows themselves nor a part of an experiment.
    """
    path = output.resolve()
    partial, state = files_beside(path)
    if any(_is_same(each, source) for each in (path, partial, state)):
        raise ConfigError(f"{output} would replace the rows that are to be predicted: give another --output.")
    for folder in path.parents:
        if layout.TASK.within(folder).is_file() and layout.PROFILE.within(folder).is_file():
            raise ConfigError(f"{output} is among the files of the experiment {folder.name}: give another --output.")
    at_stake = [path] if parse_state(state) else [path, partial, state]
    if not force and (lost := next((each for each in at_stake if not _may_go(each)), None)):
        shown = output if lost == path else lost
        raise ConfigError(
            f"{shown} is there and holds no predictions: give another --output, or --force to replace it."
        )


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def _may_go(path: Path) -> bool:
    """Whether nothing is at a place that another prediction could not tell again."""
    if not path.is_file():
        return True
    try:
        with path.open("rb") as file:
            start = file.read(max(map(len, _STARTS)))
    except OSError:
        return False
    return not start or start.startswith(_STARTS)


class Sink(Protocol):
    """Where the text of predicted rows goes."""

    @property
    def rows(self) -> int:
        """Rows that are there already."""

    def append(self, text: str, rows: int) -> None:
        """Add the text of so many rows."""


class _Terminal:
    """Standard output, which nothing can go on with."""

    rows = 0

    def append(self, text: str, rows: int) -> None:  # noqa: ARG002 - nobody counts them
        put(text)


def predict_new_rows(
    predictor: Predictor,
    rows: Rows,
    output: str | Path | None,
    form: str,
    conformal_confidence: float | None,
    batch_size: int,
) -> None:
    """Write what is decided about new rows to `output` (None: standard output), one line each, `form` csv or jsonl.

    The rows are predicted in batches of `batch_size`, each written before the
    next is begun, so that a run that is killed is gone on with by the same call, to the same bytes.
    """
    predictor.say_unused(rows.names, rows.where)
    options = f"{form}, confidence {conformal_confidence or 'of the experiment'}, batches of {batch_size}"
    with contextlib.ExitStack() as stack:
        sink: Sink = _Terminal()
        if output is not None:
            belongs_to = {"input": rows.sha256, "experiment": predictor.fingerprint(), "set of options": options}
            sink = stack.enter_context(resumable_file(output, belongs_to))
        advance = stack.enter_context(progress("predicting, rows")) if rows.count > 1 else None
        unpredicted, unlike = _predict_all(predictor, rows, sink, form, conformal_confidence, batch_size, advance)
    predictor.say_unlike(unlike, rows.where)
    if output is not None:
        say(f"{rows.count:,} rows predicted: {output}.")
    if unpredicted:
        say(f"{unpredicted:,} of them could not be predicted: their reason says why.")


def _predict_all(
    predictor: Predictor,
    rows: Rows,
    sink: Sink,
    form: str,
    conformal_confidence: float | None,
    batch_size: int,
    advance: Advance | None,
) -> tuple[int, Counter[str]]:
    """Every batch that is not in the sink yet; how many of their rows could not be predicted, and `Columns.unlike`."""
    unpredicted, unlike, first, done = 0, Counter[str](), 0, sink.rows
    for cells in rows.batches(batch_size):
        unlike += predictor.columns.unlike(cells)
        if first >= done:
            found = predictor.decide_cells(cells, conformal_confidence, first, _shifted(advance, first, rows.count))
            sink.append(_rendered(found, predictor.labels, first, form), len(cells))
            unpredicted += int(np.isnan(found.probabilities[:, 0]).sum())
        first += len(cells)
    return unpredicted, unlike


def _shifted(advance: Advance | None, first: int, count: int) -> Advance | None:
    """Progress inside a batch as progress of the whole."""
    return None if advance is None else lambda done, _: advance(first + done, count)


def _rendered(found: Decisions, labels: list[str], first: int, form: str) -> str:
    lines = _lines(found, labels, first)
    if form == "jsonl":
        return "".join(f"{printable_json(line)}\n" for line in lines)
    text = io.StringIO()
    if first == 0:
        names = [f"p_{label}" for label in labels]
        write_csv(text, [[*_FIRST_NAMES, *names, "set", "expected_cost"]])
    write_csv(text, (_cells(line, labels) for line in lines))
    return text.getvalue()


def _lines(found: Decisions, labels: list[str], first: int) -> Iterator[Line]:
    """One JSON object a row; what is not known is null."""
    values = zip(
        *(each.tolist() for each in (found.codes, found.probabilities, found.sets, found.expected_costs)),
        found.reasons,
        strict=True,
    )
    for row, (code, probabilities, inside, cost, reason) in enumerate(values, first):
        yield {
            "row": row,
            "decision": labels[code] if code >= 0 else None,
            "abstain": code < 0,
            "reason": reason,
            "probabilities": dict(zip(labels, probabilities, strict=True))
            if not math.isnan(probabilities[0])
            else None,
            "set": [label for label, is_inside in zip(labels, inside, strict=True) if is_inside],
            "expected_cost": None if math.isnan(cost) else cost,
        }


def _cells(line: Line, labels: list[str]) -> list[Any]:
    """A line of the CSV, but the cells that a spreadsheet would compute: what is null is an empty cell."""
    probabilities = line["probabilities"] or dict.fromkeys(labels)
    decided = [line["row"], line["decision"], str(line["abstain"]).lower(), line["reason"]]
    return [*decided, *probabilities.values(), line["set"], line["expected_cost"]]
