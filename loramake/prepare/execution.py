"""The generated preparation code at work: fitted on the train rows, and turning rows into prompts.

The code never meets a label. `fit` and `transform` run in a sandbox of their own each, which holds the plan's features
and nothing else of the table. Their rows are ordered by a hash of these cells and numbered in that order; equal rows
are transformed as one. So neither the number of a row nor its neighbours say anything that its cells do not. Labels are
joined here, outside.
"""

import contextlib
from collections.abc import Iterator, Sequence
from csv import QUOTE_ALL
from pathlib import Path

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.prepare import Plan, PrepState, Prompt, Record, Transformed
from loramake.console import say, working
from loramake.errors import ArtifactError, CodeError
from loramake.explore.splits import read_all_splits
from loramake.private_folder import private_folder
from loramake.sandbox import Sandbox
from loramake.tables.reading import MISSING
from loramake.tables.source import Source
from loramake.tasks.answers import Answers

_STATE_BYTES, _STATE_BYTES_A_FEATURE = 1 << 20, 1 << 12
"""The most that fit may remember: room for bins and categories, not for the rows of a table."""
_HASH_KEYS = ("loramake rows, 1", "loramake rows, 2")
"""Two hashes of 64 bits together tell rows apart."""
_RECORD_BYTES = 1 << 13
"""The most that a feature adds to a record: a cell is cut after some hundred characters."""


def execute_prep_code(
    script: str | Path,
    plan: str | Path,
    source: Source,
    splits: str | Path,
    sandbox: Sandbox,
    out: str | Path,
    state: str | Path,
) -> None:
    """Run prepare_data.py; write all_data.json (a record for every row of splits.csv) and prep_state.json."""
    planned = artifacts.read(plan, schemas.PLAN)
    lines, rows = read_all_splits(source, splits)
    features = feature_names(planned)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with private_folder(Path(out).parent) as folder, working("preparing the records"):
        fitted = folder / "fitted.json"
        train = rows[(lines["split"] == "train").to_numpy()]
        artifacts.write(fitted, _fit(script, features, train, sandbox, folder), schemas.PREP_STATE)
        records = _transform(script, features, rows, fitted, sandbox, folder)
        made = _join_labels(records, lines, rows[planned["target"]], planned)
        artifacts.write(state, artifacts.read(fitted, schemas.PREP_STATE), schemas.PREP_STATE)
        artifacts.write(out, made, schemas.RECORDS)
    say(f"{len(made):,} records prepared, the first: {made[0]['input'][:100]!r} → {made[0]['output']!r}.")


def feature_names(plan: Plan) -> list[str]:
    """The columns that prompts are made of, in their order."""
    return [feature["name"] for feature in plan["features"]]


def _join_labels(records: Sequence[Prompt], lines: pd.DataFrame, target: "pd.Series[str]", plan: Plan) -> list[Record]:
    """The records with row and source as in splits.csv, and the answer of the row's label."""
    answers = Answers.of(plan).by_label
    keys = zip(lines["row"].tolist(), lines["source"].tolist(), target.map(answers).tolist(), strict=True)
    return [
        {**record, "row": row, "output": output, "source": source}
        for record, (row, source, output) in zip(records, keys, strict=True)
    ]


def _fit(script: str | Path, features: Sequence[str], train: pd.DataFrame, sandbox: Sandbox, folder: Path) -> PrepState:
    """What the code learns from the train rows (text cells, missing ones None); CodeError where it keeps too much.

    `folder` is a private one, for the time of the run.
    """
    distinct, place = _distinct(train, features)
    cells = distinct.iloc[np.sort(place)].reset_index(drop=True)
    learnt = folder / "state.json"
    inputs = {"csv": _write_rows(cells, folder)}
    sandbox.run(script, inputs=inputs, values={"mode": "fit"}, outputs={"state": learnt})
    _check_state(script, learnt, features)
    with _as_code_error(script, learnt, "a state"):
        return artifacts.read_untrusted(learnt, schemas.PREP_STATE)


def _check_state(script: str | Path, state: Path, features: Sequence[str]) -> None:
    """CodeError for a state that holds more than summaries of so many columns."""
    most, size = _STATE_BYTES + _STATE_BYTES_A_FEATURE * len(features), state.stat().st_size
    if size > most:
        raise CodeError(
            f"{script}: fit remembers {size:,} bytes, more than the {most:,} that bins and categories need: keep "
            "summaries of the columns, not the rows."
        )


def transform_rows(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox
) -> list[Prompt]:
    """The prompts of rows (text cells, missing ones None), without labels; `row` is the position in `rows`.

    CodeError where the script fails with any of them.
    """
    with private_folder(Path(state).parent) as folder:
        return _transform(script, features, rows, state, sandbox, folder)


def _transform(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox, folder: Path
) -> list[Prompt]:
    """`transform_rows` in a private folder that is there already."""
    cells, place = _distinct(rows, features)
    out = _run_on(script, cells, state, sandbox, folder, "transform")
    with _as_code_error(script, out, "records"):
        made = artifacts.read_untrusted(out, schemas.RECORDS, _most_bytes(cells), len(cells))
    if [record["row"] for record in made] != list(range(len(cells))):
        raise CodeError(f"{script} did not give one record for each of the {len(cells):,} rows, in their order.")
    return [_only_prompt(made[own], row) for row, own in enumerate(place)]


def _only_prompt(record: Prompt, row: int) -> Prompt:
    """What the code may say of a row: it knows no labels and no sources."""
    return {"instruction": record["instruction"], "input": record["input"], "row": row}


def transform_each_row(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox
) -> list[Prompt | str]:
    """`transform_rows` one row at a time, in place of the record of a row with which the script fails its failure.

    Slower, by a few milliseconds a row. CodeError where the script fails whatever the rows.
    """
    cells, place = _distinct(rows, features)
    with private_folder(Path(state).parent) as folder:
        out = _run_on(script, cells, state, sandbox, folder, "transform_each")
        with _as_code_error(script, out, "records"):
            made = artifacts.read_untrusted(out, schemas.TRANSFORMED, _most_bytes(cells), len(cells))
    if len(made) != len(cells):
        raise CodeError(f"{script} did not give one record for each of the {len(cells):,} rows.")
    return [_checked(made[own], own, row) for row, own in enumerate(place)]


def _checked(made: Transformed, place: int, row: int) -> Prompt | str:
    """What one row gave: its record, or why there is none."""
    if made["failure"] is not None:
        return made["failure"]
    if made["record"] is None or made["record"]["row"] != place:
        return "it gave the record of another row"
    return _only_prompt(made["record"], row)


def _distinct(rows: pd.DataFrame, features: Sequence[str]) -> tuple[pd.DataFrame, list[int]]:
    """Each different row of the features' cells once, ordered by a hash of its own cells, and the place of each row."""
    cells = rows[list(features)].astype(object)
    hashes = [pd.util.hash_pandas_object(cells, index=False, hash_key=key).to_numpy() for key in _HASH_KEYS]
    _, first, place = np.unique(np.stack(hashes, axis=1), axis=0, return_index=True, return_inverse=True)
    places: list[int] = place.reshape(-1).tolist()
    return cells.iloc[first].reset_index(drop=True), places


def _run_on(
    script: str | Path, cells: pd.DataFrame, state: str | Path, sandbox: Sandbox, folder: Path, mode: str
) -> Path:
    """Run a preparation script on rows; the file, in `folder`, that it wrote."""
    _check_state(script, Path(state), list(cells.columns))
    out = folder / "records.json"
    inputs = {"csv": _write_rows(cells, folder), "state": Path(state)}
    sandbox.run(script, inputs=inputs, values={"mode": mode}, outputs={"out": out})
    return out


def _write_rows(cells: pd.DataFrame, folder: Path) -> Path:
    table = folder / "rows.csv"
    # Quoted throughout: pandas would leave a lone carriage return bare, and read it back as the end of a row.
    cells.to_csv(table, index=False, na_rep=MISSING[1], quoting=QUOTE_ALL)
    return table


def _most_bytes(cells: pd.DataFrame) -> int:
    """Of the records of so many rows and features."""
    return _RECORD_BYTES * (1 + len(cells) * (1 + len(cells.columns)))


@contextlib.contextmanager
def _as_code_error(script: str | Path, path: Path, what: str) -> Iterator[None]:
    """What a script wrote is its author's to fix."""
    try:
        yield
    except ArtifactError as error:
        raise CodeError(f"{script} did not write {what}: {str(error).removeprefix(f'{path}: ')}") from error
