"""From verified records to the files that training reads: one file per split, the training split balanced."""

from pathlib import Path
from typing import Any

from loramake import artifacts
from loramake.agents import get_agent
from loramake.console import say
from loramake.errors import CodeError
from loramake.preparation import check_functions
from loramake.rendering import render
from loramake.sandbox import Sandbox
from loramake.splits import SPLITS, read_splits


def split_data(all_data: str | Path, splits: str | Path, outs: dict[str, str | Path]) -> None:
    """Write train.json, validation.json, calibration.json and test.json (`outs`, by split); a split may be empty."""
    records = {(record["source"], record["row"]): record for record in artifacts.read(all_data, "records")}
    lines = read_splits(splits)
    for split in SPLITS:
        ours = lines.loc[lines["split"] == split, ["source", "row"]].itertuples(index=False, name=None)
        artifacts.write(outs[split], [records[key] for key in ours], "records")


def write_balance_code(review: str | Path, balance: str | None, agent: str, out: str | Path) -> None:
    """Write balance_data.py for the strategy that the data review decided, or that feedback/balance.yaml asks for."""
    strategy = balance or artifacts.read(review, "review")["balance"]
    code = render("write_balance_code.j2", strategy=strategy, functions=get_agent(agent).write_balance_code(strategy))
    check_functions(code, ("balance",), out)
    artifacts.write_text(out, code)
    say(f"balancing: {strategy}{', the training records stay as they are' if strategy == 'none' else ''}.")


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
