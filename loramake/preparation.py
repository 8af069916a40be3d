"""The generated preparation code: written from the plan, executed, and used again for new rows.

The code is two functions, `fit(train) -> state` and `transform(rows, state) -> records`, inside a fixed main part
that does the reading, the labels and the writing, so that no test row and no target can leak into a prompt.
"""

import ast
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.agents import get_agent
from loramake.console import say, working
from loramake.errors import CodeError
from loramake.rendering import render
from loramake.sandbox import Sandbox
from loramake.tables import MISSING, Dialect, align_names, how_to_read


def write_prep_code(plan: str | Path, profile: str | Path, agent: str, out: str | Path) -> None:
    """Write prepare_data.py: the agent's two functions inside the fixed main part."""
    planned = artifacts.read(plan, "plan")
    described = artifacts.read(profile, "profile")
    test = described["test_csv"]
    names = [column["name"] for column in described["columns"]]
    code = render(
        "write_prep_code.j2",
        plan=planned,
        functions=get_agent(agent).write_prep_code(planned),
        answers={label["value"]: label["text"] for label in planned["labels"]},
        missing_cells=list(MISSING),
        read_csv=_how_to_read(described, names),
        read_test_csv=None if test is None else _how_to_read(test, align_names(test["columns"], names)),
    )
    check_functions(code, ("fit", "transform"), out)
    artifacts.write_text(out, code)


def _how_to_read(described: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return how_to_read(Dialect(described["encoding"], described["delimiter"]), names)


def check_functions(code: str, names: tuple[str, ...], where: str | Path) -> None:
    """Raise CodeError where generated code is no Python or lacks one of the functions that its contract names."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise CodeError(f"{where}: line {error.lineno}: the generated code is no Python: {error.msg}.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in names:
        if name not in defined:
            raise CodeError(f"{where}: the generated code defines no {name}().")


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
    with _folder_beside(out) as folder:
        records, fitted = Path(folder, "records.json"), Path(folder, "state.json")
        test = None if test_csv is None else Path(test_csv)
        with working("preparing the records"):
            sandbox.run(
                script,
                inputs={"csv": Path(csv), "test-csv": test, "splits": Path(splits)},
                outputs={"out": records, "state": fitted},
            )
        made = artifacts.read(records, "records")
        artifacts.write(state, artifacts.read(fitted, "prep_state"), "prep_state")
        artifacts.write(out, made, "records")
    say(f"{len(made):,} records prepared, the first: {made[0]['input'][:100]!r} → {made[0]['output']!r}.")


def _folder_beside(path: str | Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder under results/: no row is ever written elsewhere."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".rows-")


def transform_rows(script: str | Path, rows: pd.DataFrame, state: str | Path, sandbox: Sandbox) -> list[dict[str, Any]]:
    """The prompts of new rows (text cells, missing ones None), without labels; `row` is the place in `rows`."""
    with _folder_beside(state) as folder:
        csv, out = Path(folder, "rows.csv"), Path(folder, "records.json")
        rows.to_csv(csv, index=False, na_rep=MISSING[1])
        sandbox.run(script, inputs={"csv": csv, "state": Path(state)}, outputs={"out": out})
        made: list[dict[str, Any]] = artifacts.read(out, "records")
    if [record["row"] for record in made] != list(range(len(rows))):
        raise CodeError(f"{script} did not give one record for each of the {len(rows):,} rows, in their order.")
    return made
