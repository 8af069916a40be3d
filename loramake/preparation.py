"""The generated preparation code at work: on the rows to learn from, and again on new rows."""

import json
from csv import QUOTE_ALL
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.console import say, working
from loramake.errors import ArtifactError, CodeError
from loramake.rendering import render
from loramake.rows_folder import rows_folder
from loramake.sandbox import Sandbox
from loramake.tables import MISSING


def execute_prep_code(
    script: str | Path,
    csv: str | Path,
    test_csv: str | Path | None,
    splits: str | Path,
    sandbox: Sandbox,
    out: str | Path,
    state: str | Path,
) -> None:
    """Run prepare_data.py; write all_data.json (a record for every row of splits.csv) and prep_state.json."""
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with rows_folder(Path(out).parent) as folder:
        records, fitted = folder / "records.json", folder / "state.json"
        test = None if test_csv is None else Path(test_csv)
        with working("preparing the records"):
            sandbox.run(
                script,
                inputs={"csv": Path(csv), "test-csv": test, "splits": Path(splits)},
                outputs={"out": records, "state": fitted},
            )
        made = _read_records(records, script)
        artifacts.write(state, artifacts.read(fitted, "prep_state"), "prep_state")
        artifacts.write(out, made, "records")
    say(f"{len(made):,} records prepared, the first: {made[0]['input'][:100]!r} → {made[0]['output']!r}.")


def _read_records(path: Path, script: str | Path) -> list[dict[str, Any]]:
    """The records that a script wrote; CodeError, so that whoever wrote it can mend it, where they are none."""
    try:
        made: list[dict[str, Any]] = artifacts.read(path, "records")
    except ArtifactError as error:
        raise CodeError(f"{script} gave what is no records: {str(error).removeprefix(f'{path}: ')}") from error
    return made


def transform_rows(script: str | Path, rows: pd.DataFrame, state: str | Path, sandbox: Sandbox) -> list[dict[str, Any]]:
    """The prompts of new rows (text cells, missing ones None), without labels; `row` is the place in `rows`.

    CodeError where the script fails with any of them.
    """
    with rows_folder(Path(state).parent) as folder:
        out = _run_on(script, rows, state, sandbox, folder)
        made = _read_records(out, script)
    if [record["row"] for record in made] != list(range(len(rows))):
        raise CodeError(f"{script} did not give one record for each of the {len(rows):,} rows, in their order.")
    return made


def transform_each_row(
    script: str | Path, rows: pd.DataFrame, state: str | Path, sandbox: Sandbox
) -> list[dict[str, Any] | str]:
    """`transform_rows` one row at a time, in place of the record of a row with which the script fails its failure.

    Slower, by a few milliseconds a row. CodeError where the script fails whatever the rows.
    """
    with rows_folder(Path(state).parent) as folder:
        harness = folder / "transform_each_row.py"
        code = render("transform_each_row.j2", source=Path(script).read_text(encoding="utf-8"))
        harness.write_text(code, encoding="utf-8")
        out = _run_on(harness, rows, state, sandbox, folder)
        try:
            found = json.loads(out.read_text(encoding="utf-8"))
            made = [(each["record"], each["failure"]) for each in found]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CodeError(f"{script} gave what is no records.") from error
    if len(made) != len(rows):
        raise CodeError(f"{script} did not give one record for each of the {len(rows):,} rows.")
    return [_checked(record, failure, row) for row, (record, failure) in enumerate(made)]


def _checked(record: Any, failure: Any, row: int) -> dict[str, Any] | str:
    """What one row gave: a record in the place `row`, or why it is none."""
    if failure is not None:
        return str(failure)
    try:
        artifacts.validate([record], "records", "it")
    except ArtifactError as error:
        return str(error).removeprefix("it: [0].")
    return record if record["row"] == row else "it gave the record of another row"


def _run_on(script: str | Path, rows: pd.DataFrame, state: str | Path, sandbox: Sandbox, folder: Path) -> Path:
    """Run a preparation script on new rows; the file, in `folder`, that it wrote."""
    table, out = folder / "rows.csv", folder / "records.json"
    # Quoted throughout: pandas would leave a lone carriage return bare, and read it back as the end of a row.
    rows.to_csv(table, index=False, na_rep=MISSING[1], quoting=QUOTE_ALL)
    sandbox.run(script, inputs={"csv": table, "state": Path(state)}, outputs={"out": out})
    return out
