"""Writes the preparation code from the plan, and retries until it works.

The code is two functions, `fit(train) -> state` and `transform(rows, state) -> records`, inside a fixed main part
that reads the rows and writes the result. `execution` decides what each of them is given.
"""

import tempfile
from pathlib import Path

from loramake import artifacts, schemas
from loramake.agents import Agent, Failure
from loramake.agents.builtin import write_usual_code
from loramake.agents.coding import check_functions, write_until_it_works
from loramake.artifact_types.prepare import Plan, SandboxSetting
from loramake.errors import ArtifactError, CodeError
from loramake.explore.splits import read_splits
from loramake.prepare.checks import Check, Prepared, check_behaviour, check_features, check_records
from loramake.prepare.execution import execute_prep_code
from loramake.rendering import render
from loramake.sandbox import Sandbox, choose_sandbox
from loramake.tables.source import Source, row_number

_ROWS_SHOWN = 3


def write_prep_code(
    plan: str | Path,
    profile: str | Path,
    source: Source,
    splits: str | Path,
    agent: Agent,
    sandbox: Sandbox,
    out: str | Path,
) -> None:
    """Write prepare_data.py: the agent's two functions inside the fixed main part.

    An LLM's code is run on the data and checked first; CodeError after its last attempt. Every attempt is kept.
    """
    planned = artifacts.read(plan, schemas.PLAN)
    described = artifacts.read(profile, schemas.PROFILE)

    def write(failures: list[Failure]) -> str:
        return agent.write_prep_code(planned, described, failures)

    def complete(functions: str) -> str:
        script = render_script(planned, functions)
        check_functions(script, ("fit", "transform"), out)
        return script

    def try_out(script: Path) -> Failure | None:
        return _try_out(script, plan, planned, source, splits, sandbox)

    artifacts.write_text(out, write_until_it_works(agent, write, complete, try_out, out))


def _try_out(
    script: Path, plan: str | Path, planned: Plan, source: Source, splits: str | Path, sandbox: Sandbox
) -> Failure | None:
    """Run a script on the data and check its records; None if nothing is wrong."""
    with tempfile.TemporaryDirectory(dir=script.parent, prefix=".rows-") as folder:
        all_data, state = Path(folder, "all_data.json"), Path(folder, "prep_state.json")
        try:
            execute_prep_code(script, plan, source, splits, sandbox, all_data, state)
            records = artifacts.read(all_data, schemas.RECORDS)
            failed = _first_failure(
                Prepared(records, planned, read_splits(splits), source.read(), script, state, sandbox)
            )
        except (CodeError, ArtifactError) as error:
            output = error.output if isinstance(error, CodeError) else ""
            return {"code": "", "complaint": str(error), "check": None, "output": output, "rows": []}
    if failed is None:
        return None
    shown = [r for r in records if r["row"] in failed.rows[:_ROWS_SHOWN]][:_ROWS_SHOWN]
    rows = [f"row {row_number(record['row'])}: {record['instruction']}\n{record['input']}" for record in shown]
    complaint = f"The check “{failed.name}” failed: {failed.detail}."
    return {"code": "", "complaint": complaint, "check": failed.name, "output": "", "rows": rows}


def _first_failure(prepared: Prepared) -> Check | None:
    """The first check that fails; the later ones rely on the earlier ones."""
    for check in check_records(prepared):
        if not check.passed:
            return check
    checks = [*check_behaviour(prepared), check_features(prepared)]
    return next((check for check in checks if not check.passed), None)


def render_script(plan: Plan, functions: str) -> str:
    """The whole script around the two functions."""
    return render(
        "write_prep_code.j2",
        plan=plan,
        functions=functions,
        types={feature["name"]: feature["type"] for feature in plan["features"]},
    )


def choose_prep_sandbox(setting: SandboxSetting, plan: str | Path) -> Sandbox:
    """The sandbox of prepare_data.py by the user's setting; ConfigError if one is needed and none works."""
    return choose_sandbox(setting, lambda script: script == _render_own_script(plan).encode())


def _render_own_script(plan: str | Path) -> str:
    """What the built-in agent writes for a plan."""
    planned = artifacts.read(plan, schemas.PLAN)
    return render_script(planned, write_usual_code(planned))
