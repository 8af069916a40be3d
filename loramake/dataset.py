"""From verified records to the files that training reads: one file per split, the training split balanced."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.agents import Agent, Failure
from loramake.agents.builtin import BuiltinAgent
from loramake.config import STRATEGIES
from loramake.console import say
from loramake.errors import ArtifactError, CodeError
from loramake.generated import check_functions, write_until_it_works
from loramake.rendering import render
from loramake.sandbox import Sandbox, choose_sandbox
from loramake.splits import SPLITS, read_splits

_WANTED = "whole records of the training split, as many of each label as the strategy says"


def split_data(all_data: str | Path, splits: str | Path, outs: dict[str, str | Path]) -> None:
    """Write train.json, validation.json, calibration.json and test.json (`outs`, by split); a split may be empty."""
    records = {(record["source"], record["row"]): record for record in artifacts.read(all_data, "records")}
    lines = read_splits(splits)
    for split in SPLITS:
        ours = lines.loc[lines["split"] == split, ["source", "row"]].itertuples(index=False, name=None)
        artifacts.write(outs[split], [records[key] for key in ours], "records")


def write_balance_code(
    review: str | Path,
    balance: str | None,
    train: str | Path,
    seed: int,
    agent: Agent,
    sandbox: Sandbox,
    out: str | Path,
) -> None:
    """Write balance_data.py for the strategy that the data review decided, or that feedback/balance.yaml asks for.

    What an LLM wrote is run on the training split and checked first; CodeError after its last try.
    """
    strategy = balance or artifacts.read(review, "review")["balance"]

    def complete(functions: str) -> str:
        script = _render_script(strategy, functions)
        check_functions(script, ("balance",), out)
        return script

    def try_out(script: Path) -> Failure | None:
        return _try_out(script, strategy, Path(train), seed, sandbox)

    def write(failures: list[Failure]) -> str:
        return agent.write_balance_code(strategy, failures)

    artifacts.write_text(out, write_until_it_works(agent, write, complete, try_out, out))
    say(f"balancing: {strategy}{', the training records stay as they are' if strategy == 'none' else ''}.")


def _try_out(script: Path, strategy: str, train: Path, seed: int, sandbox: Sandbox) -> Failure | None:
    """Run a balancing script on the training split; None where it does what its strategy says."""
    with tempfile.TemporaryDirectory(dir=script.parent, prefix=".rows-") as folder:
        made = Path(folder, "balanced_data.json")
        try:
            execute_balance_code(script, train, seed, sandbox, made)
            check_strategy(strategy, artifacts.read(train, "records"), artifacts.read(made, "records"))
        except (CodeError, ArtifactError) as error:
            output = error.output if isinstance(error, CodeError) else ""
            check = None if output else _WANTED
            return {"code": "", "complaint": str(error), "check": check, "output": output, "rows": []}
    return None


def check_strategy(strategy: str, original: list[dict[str, Any]], balanced: list[dict[str, Any]]) -> None:
    """Raise CodeError where the number of records of each label is not what a strategy makes of them."""
    before, after = (Counter(record["output"] for record in records) for records in (original, balanced))
    rows = {"none": None, "oversample": max(before.values()), "undersample": min(before.values())}[strategy]
    wanted = {label: count if rows is None else rows for label, count in before.items()}
    if after != wanted:
        raise CodeError(f"{strategy} has to make {wanted} of the labels' records, and made {dict(after)}.")


def _render_script(strategy: str, functions: str) -> str:
    """The whole script around the function."""
    return render("write_balance_code.j2", strategy=strategy, functions=functions)


def choose_balance_sandbox(setting: str) -> Sandbox:
    """The sandbox of balance_data.py by the user's setting; ConfigError where one is needed and none works."""
    return choose_sandbox(setting, lambda script: script in map(_render_own_script, STRATEGIES))


def _render_own_script(strategy: str) -> bytes:
    """What the built-in agent writes for a strategy."""
    return _render_script(strategy, BuiltinAgent().write_balance_code(strategy, [])).encode()


def execute_balance_code(script: str | Path, train: str | Path, seed: int, sandbox: Sandbox, out: str | Path) -> None:
    """Run balance_data.py on the training split; write balanced_data.json, whose records all come from train.json."""
    original = artifacts.read(train, "records")
    with artifacts.atomic(out) as temporary:
        sandbox.run(script, inputs={"records": Path(train)}, values={"seed": seed}, outputs={"out": temporary})
        balanced = artifacts.read(temporary, "records")
        check_balanced(original, balanced, script)
    say(f"{len(original):,} training records, {len(balanced):,} after balancing.")


def check_balanced(original: list[dict[str, Any]], balanced: list[dict[str, Any]], script: str | Path) -> None:
    """Raise CodeError where balancing made records up, changed one, or lost every record of a label."""
    known = {(record["source"], record["row"]): record for record in original}
    if any(known.get((record["source"], record["row"])) != record for record in balanced):
        raise CodeError(f"{script} gave records that are not in the training split.")
    lost = {record["output"] for record in original} - {record["output"] for record in balanced}
    if lost:
        raise CodeError(f"{script} lost every record of {sorted(lost)[0]!r}.")
