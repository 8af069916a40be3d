"""Decisions about new rows, written to a file or standard output as they come: CSV or JSON lines."""

import contextlib
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from loramake import layout
from loramake.console import Advance, printable_json, progress, put, say
from loramake.errors import ConfigError
from loramake.serving.columns import count_remarks
from loramake.serving.new_rows import Rows
from loramake.serving.predictor import Decisions, Predictor
from loramake.serving.resumable import files_beside, parse_state, resumable_file
from loramake.spreadsheet import write_csv
from loramake.tasks.labels import Label

_FIRST_NAMES = ("row", "decision", "abstain", "reason")
_STARTS = (",".join(_FIRST_NAMES).encode() + b",", b'{"row": 0, "decision": ')
"""How a file of predictions begins, which identifies an earlier one."""

Line = dict[str, Any]


def check_output(output: Path, source: Path, force: bool) -> None:
    """ConfigError if predicting the rows in `source` would destroy anything at `output` but earlier predictions.

    With `force` any other file may be replaced, except the rows themselves and the files of an experiment.
    """
    path = output.resolve()
    partial, state = files_beside(path)
    if any(_is_same(file, source) for file in (path, partial, state)):
        raise ConfigError(f"{output} would replace the input rows: give another --output.")
    for folder in path.parents:
        if layout.TASK.within(folder).is_file() and layout.PROFILE.within(folder).is_file():
            raise ConfigError(f"{output} is among the files of the experiment {folder.name}: give another --output.")
    at_stake = [path] if parse_state(state) else [path, partial, state]
    if not force and (lost := next((file for file in at_stake if not _is_replaceable(file)), None)):
        shown = output if lost == path else lost
        raise ConfigError(
            f"{shown} exists and contains no predictions: give another --output, or --force to replace it."
        )


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def _is_replaceable(path: Path) -> bool:
    """Whether a path has nothing that another prediction could not reproduce."""
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
        """Rows written already."""

    def append(self, text: str, rows: int) -> None:
        """Add the text of so many rows."""


class _Terminal:
    """Standard output, which cannot be resumed."""

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
    """Write the decisions about new rows to `output` (None: standard output), one line each, `form` csv or jsonl.

    The rows are predicted in batches of `batch_size`, each written before the next starts, so that the same call
    resumes a killed run, with the same bytes as a result.
    """
    predictor.say_unused(rows.names, rows.where)
    predictor.say_notes(rows.notes, rows.where)
    options = f"{form}, confidence {conformal_confidence or 'of the experiment'}, batches of {batch_size}"
    with contextlib.ExitStack() as stack:
        sink: Sink = _Terminal()
        if output is not None:
            belongs_to = {"input": rows.sha256, "experiment": predictor.fingerprint(), "set of options": options}
            sink = stack.enter_context(resumable_file(output, belongs_to))
        advance = stack.enter_context(progress("predicting, rows")) if rows.count > 1 else None
        unpredicted, remarks = _predict_all(predictor, rows, sink, form, conformal_confidence, batch_size, advance)
    predictor.say_remarks(remarks, rows.where)
    if output is not None:
        say(f"{rows.count:,} rows predicted: {output}.")
    if unpredicted:
        say(f"{unpredicted:,} of them could not be predicted: see their reason.")


def _predict_all(
    predictor: Predictor,
    rows: Rows,
    sink: Sink,
    form: str,
    conformal_confidence: float | None,
    batch_size: int,
    advance: Advance | None,
) -> tuple[int, Counter[tuple[str | None, str]]]:
    """Predict the batches not in the sink yet; returns how many rows could not be predicted, and remarks, counted."""
    unpredicted, remarks, first, done = 0, Counter[tuple[str | None, str]](), 0, sink.rows
    for new in rows.batches(batch_size):
        remarks += count_remarks(new.remarks)
        if first >= done:
            decisions = predictor.decide_cells(new, conformal_confidence, _shifted(advance, first, rows.count))
            sink.append(_rendered(decisions, predictor, first, form), len(new.cells))
            unpredicted += int(np.isnan(decisions.probabilities[:, 0]).sum())
        first += len(new.cells)
    return unpredicted, remarks


def _shifted(advance: Advance | None, first: int, count: int) -> Advance | None:
    """Progress inside a batch as overall progress."""
    return None if advance is None else lambda done, _: advance(first + done, count)


def _rendered(decisions: Decisions, predictor: Predictor, first: int, form: str) -> str:
    """Lines with labels as the CSV writes them, in JSON of their own type."""
    texts = predictor.label_texts
    if form == "jsonl":
        return "".join(f"{printable_json(line)}\n" for line in _lines(decisions, predictor.labels, texts, first))
    text = io.StringIO()
    if first == 0:
        names = [f"p_{label}" for label in texts]
        write_csv(text, [[*_FIRST_NAMES, *names, "set", "expected_cost"]])
    write_csv(text, (_cells(line, texts) for line in _lines(decisions, texts, texts, first)))
    return text.getvalue()


def _lines(decisions: Decisions, labels: Sequence[Label], texts: list[str], first: int) -> Iterator[Line]:
    """One JSON object per row; unknown values are null."""
    values = zip(
        *(
            array.tolist()
            for array in (decisions.codes, decisions.probabilities, decisions.sets, decisions.expected_costs)
        ),
        decisions.reasons,
        strict=True,
    )
    for row, (code, probabilities, members, cost, reason) in enumerate(values, first):
        yield {
            "row": row,
            "decision": labels[code] if code >= 0 else None,
            "abstain": code < 0,
            "reason": reason,
            "probabilities": dict(zip(texts, probabilities, strict=True)) if not math.isnan(probabilities[0]) else None,
            "set": [label for label, is_member in zip(labels, members, strict=True) if is_member],
            "expected_cost": None if math.isnan(cost) else cost,
        }


def _cells(line: Line, labels: list[str]) -> list[Any]:
    """A line of the CSV before formulas are escaped; null is an empty cell."""
    probabilities = line["probabilities"] or dict.fromkeys(labels)
    decided = [line["row"], line["decision"], str(line["abstain"]).lower(), line["reason"]]
    return [*decided, *probabilities.values(), line["set"], line["expected_cost"]]
