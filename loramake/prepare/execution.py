"""Runs the generated preparation code: fits it on the train rows, and turns rows into prompts.

The code never sees a label. `fit` and `transform` each run in a sandbox of their own, which contains the
plan's features and nothing else of the table. Their rows are ordered by a hash of these cells and numbered in that
order; equal rows are transformed as one. So neither a row's number nor its neighbours reveal anything that its cells do
not. Labels are joined here, outside.
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
from loramake.tables.source import Source
from loramake.tasks.answers import Answers

_STATE_BYTES, _STATE_BYTES_A_FEATURE = 1 << 20, 1 << 12
"""The most bytes of state: room for bins and categories, not for the rows of a table."""
_HASH_KEYS = ("loramake rows, 1", "loramake rows, 2")
"""Two hashes of 64 bits together tell rows apart."""
_RECORD_BYTES = 1 << 13
"""The most bytes that a feature adds to a record: a cell is cut after some hundred characters."""


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
        labelled = _join_labels(records, lines, rows[planned["target"]], planned)
        artifacts.write(state, artifacts.read(fitted, schemas.PREP_STATE), schemas.PREP_STATE)
        artifacts.write(out, labelled, schemas.RECORDS)
    say(f"{len(labelled):,} records prepared, the first: {labelled[0]['input'][:100]!r} → {labelled[0]['output']!r}.")


def feature_names(plan: Plan) -> list[str]:
    """The columns that make up the prompts, in their order."""
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
    """The state that the code learns from the train rows (text cells, missing ones None); CodeError if it is too large.

    `folder` is private, for the duration of the run.
    """
    distinct, indices = _distinct(train, features)
    cells = distinct.iloc[np.sort(indices)].reset_index(drop=True)
    learnt_state = folder / "state.json"
    inputs = {"csv": _write_rows(cells, folder)}
    sandbox.run(script, inputs=inputs, values={"mode": "fit"}, outputs={"state": learnt_state})
    _check_state(script, learnt_state, features)
    with _as_code_error(script, learnt_state, "a state"):
        return artifacts.read_untrusted(learnt_state, schemas.PREP_STATE)


def _check_state(script: str | Path, state: Path, features: Sequence[str]) -> None:
    """CodeError for a state larger than summaries of so many columns."""
    most, size = _STATE_BYTES + _STATE_BYTES_A_FEATURE * len(features), state.stat().st_size
    if size > most:
        raise CodeError(
            f"{script}: the state of fit has {size:,} bytes, more than the {most:,} that bins and categories need: "
            "keep summaries of the columns, not the rows."
        )


def transform_rows(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox
) -> list[Prompt]:
    """The prompts of rows (text cells, missing ones None), without labels; `row` is the position in `rows`.

    CodeError if the script fails for any of them.
    """
    with private_folder(Path(state).parent) as folder:
        return _transform(script, features, rows, state, sandbox, folder)


def _transform(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox, folder: Path
) -> list[Prompt]:
    """`transform_rows` in an existing private folder."""
    cells, indices = _distinct(rows, features)
    out = _run_on(script, cells, state, sandbox, folder, "transform")
    with _as_code_error(script, out, "records"):
        prompts = artifacts.read_untrusted(out, schemas.RECORDS, _most_bytes(cells), len(cells))
    if [record["row"] for record in prompts] != list(range(len(cells))):
        raise CodeError(f"{script} did not return one record for each of the {len(cells):,} rows, in their order.")
    return [_only_prompt(prompts[index], row) for row, index in enumerate(indices)]


def _only_prompt(record: Prompt, row: int) -> Prompt:
    """The fields that the code may set: it knows no labels and no sources."""
    return {"instruction": record["instruction"], "input": record["input"], "row": row}


def transform_each_row(
    script: str | Path, features: Sequence[str], rows: pd.DataFrame, state: str | Path, sandbox: Sandbox
) -> list[Prompt | str]:
    """`transform_rows` one row at a time; for a row that the script fails on, its failure in place of the prompt.

    Slower, by a few milliseconds a row. CodeError if the script fails regardless of the rows.
    """
    cells, indices = _distinct(rows, features)
    with private_folder(Path(state).parent) as folder:
        out = _run_on(script, cells, state, sandbox, folder, "transform_each")
        with _as_code_error(script, out, "records"):
            results = artifacts.read_untrusted(out, schemas.TRANSFORMED, _most_bytes(cells), len(cells))
    if len(results) != len(cells):
        raise CodeError(f"{script} did not return one record for each of the {len(cells):,} rows.")
    return [_checked(results[index], index, row) for row, index in enumerate(indices)]


def _checked(result: Transformed, index: int, row: int) -> Prompt | str:
    """The result for one row: its prompt, or why there is none."""
    if result["failure"] is not None:
        return result["failure"]
    if result["record"] is None or result["record"]["row"] != index:
        return "it returned the record of another row"
    return _only_prompt(result["record"], row)


def _distinct(rows: pd.DataFrame, features: Sequence[str]) -> tuple[pd.DataFrame, list[int]]:
    """The distinct rows of the features' cells, ordered by a hash of their cells, and the index of each row in them."""
    cells = rows[list(features)].astype(object)
    hashes = [pd.util.hash_pandas_object(cells, index=False, hash_key=key).to_numpy() for key in _HASH_KEYS]
    _, first, inverse = np.unique(np.stack(hashes, axis=1), axis=0, return_index=True, return_inverse=True)
    indices: list[int] = inverse.reshape(-1).tolist()
    return cells.iloc[first].reset_index(drop=True), indices


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
    # All quoted: pandas would leave a lone carriage return unquoted, and read it back as the end of a row.
    cells.to_csv(table, index=False, na_rep="", quoting=QUOTE_ALL)
    return table


def _most_bytes(cells: pd.DataFrame) -> int:
    """The most bytes of the records of so many rows and features."""
    return _RECORD_BYTES * (1 + len(cells) * (1 + len(cells.columns)))


@contextlib.contextmanager
def _as_code_error(script: str | Path, path: Path, content: str) -> Iterator[None]:
    """Turn an error in a script's output into one for the script's author to fix."""
    try:
        yield
    except ArtifactError as error:
        raise CodeError(f"{script} did not write {content}: {str(error).removeprefix(f'{path}: ')}") from error
