"""Rows whose given label is probably wrong: a list for a person to review.

Confident learning (Northcutt, Jiang and Chuang 2021, through cleanlab) on rows that training did not see, so that the
model could not memorise their wrong labels.
"""

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
from loramake.artifact_types.trust import Calibrator, LabelNoise
from loramake.console import say, working
from loramake.prediction.predictions import Scored, read_scored
from loramake.spreadsheet import write_csv
from loramake.tables.reading import records_of
from loramake.tables.source import Key, Source, TableFile, row_number
from loramake.tasks import read_task
from loramake.trust.calibration import apply_calibrator
from loramake.trust.cells import read_cells
from loramake.trust.sentences.label_noise import summarize_suspects

MIN_ROWS = 20
"""With fewer rows no label is flagged: the typical probability of a label could not be estimated."""
COLUMNS = ("source", "row", "line", "label", "more_probable_label", "p_label", "p_more_probable_label", "quality")
"""The columns before a row's own cells.

row is that of a spreadsheet (`row_number`), line where it begins in the file, and quality cleanlab's normalized margin,
0 (worst) to 1.
"""


def find_label_noise(
    source: Source,
    task: str | Path,
    plan: str | Path,
    calibrator: str | Path,
    predictions: Sequence[str | Path],
    out: str | Path,
    suspects_out: str | Path,
) -> None:
    """Write label_noise.json, the summary, and label_noise.csv, the suspicious rows themselves, worst first.

    They are rows of the predictions files (calibration and test). The CSV is only a header where there are none, or
    where there are fewer than MIN_ROWS rows; cells that a spreadsheet would evaluate begin with '.
    """
    labels = read_task(task).labels
    planned = artifacts.read(plan, schemas.PLAN)
    names = [planned["target"], *(feature["name"] for feature in planned["features"])]
    scored = _read_all(predictions, artifacts.read(calibrator, schemas.CALIBRATOR), labels)
    with working("looking for label errors"):
        suspects = find_suspects(scored.truth, scored.probabilities)
        keys = [scored.keys[row] for row in suspects]
        cells = read_cells(source, keys)[names]
        lines = {
            name: find_lines(file, {row for table, row in keys if table == name}) for name, file in source.files.items()
        }
    descriptions = _describe(scored, suspects, labels)
    records = [
        [name, row_number(row), lines[name][row], *description, *values]
        for (name, row), description, values in zip(keys, descriptions, cells.to_numpy().tolist(), strict=True)
    ]
    with artifacts.atomic(suspects_out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, [[*COLUMNS, *_rename(names)], *records])
    summary = summarize(len(scored.truth), keys)
    artifacts.write(out, summary, schemas.LABEL_NOISE)
    say(summary["sentence"])


def _read_all(predictions: Sequence[str | Path], calibrator: Calibrator, labels: list[str]) -> Scored:
    """The rows of all files, one after the other, their probabilities calibrated."""
    parts = [read_scored(path, labels) for path in predictions]
    keys = [key for part in parts for key in part.keys]
    probabilities = apply_calibrator(calibrator, np.concatenate([part.probabilities for part in parts]))
    return Scored(keys, np.concatenate([part.truth for part in parts]), probabilities)


def find_suspects(truth: Codes, probabilities: Floats) -> Codes:
    """Indices of the rows whose label is probably wrong, worst first, from labels (rows,) and P (rows, labels).

    cleanlab's default filter: as many rows of each pair of given and probable label as the confident joint counts.
    """
    if len(truth) < MIN_ROWS:
        return np.zeros(0, dtype=np.int64)
    from cleanlab.filter import find_label_issues  # takes a second to import, unnecessarily with few rows

    with warnings.catch_warnings():
        # Issued for each label with at most one row, which cannot be called wrong.
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        # One process: others take longer to start than the work takes.
        flagged = np.flatnonzero(find_label_issues(truth, probabilities, n_jobs=1))
    worst: Codes = flagged[np.argsort(label_quality(truth[flagged], probabilities[flagged]), kind="stable")]
    return worst


def label_quality(truth: Codes, probabilities: Floats) -> Floats:
    """cleanlab's normalized margin of each row, 0 to 1: (P(label) - largest P of another + 1) / 2."""
    if len(truth) == 0:
        return np.zeros(0)
    from cleanlab.rank import get_label_quality_scores

    quality: Floats = get_label_quality_scores(truth, probabilities, method="normalized_margin")
    return quality


def find_lines(file: TableFile, rows: Collection[int]) -> dict[int, int]:
    """The line of a table (from 1) in which each of these data rows (from 0) begins."""
    line_of_row: dict[int, int] = {}
    for row, (line, _) in enumerate(records_of(file.path, file.dialect), -1):  # the header's
        if len(line_of_row) == len(rows):
            break
        if row in rows:
            line_of_row[row] = line
    return line_of_row


def _describe(scored: Scored, suspects: Codes, labels: Sequence[str]) -> list[list[str]]:
    """The columns from label to quality of each suspicious row."""
    truth, probabilities = scored.truth[suspects], scored.probabilities[suspects]
    probable = probabilities.argmax(axis=1)
    indices = np.arange(len(suspects))
    columns = (probabilities[indices, truth], probabilities[indices, probable], label_quality(truth, probabilities))
    return [
        [labels[given], labels[other], *(f"{number:.4f}" for number in numbers)]
        for given, other, *numbers in zip(truth, probable, *columns, strict=True)
    ]


def _rename(names: Sequence[str]) -> list[str]:
    """The names; one that equals one of COLUMNS gets as many trailing ' as make it unique."""
    taken = {*COLUMNS, *names}
    unique = []
    for name in names:
        if name in COLUMNS:
            while name in taken:
                name += "'"
            taken.add(name)
        unique.append(name)
    return unique


def summarize(rows: int, keys: Sequence[Key]) -> LabelNoise:
    """The content of label_noise.json; `keys` are the suspicious ones among `rows` rows, worst first."""
    suspects = len(keys) if rows >= MIN_ROWS else None
    return {"rows": rows, "suspects": suspects, "sentence": summarize_suspects(rows, keys, MIN_ROWS)}
