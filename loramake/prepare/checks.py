"""Deterministic checks of prepared records, by what the code does with changed rows, not by its text."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from loramake.artifact_types.prepare import Plan, Record
from loramake.prepare.execution import feature_names, transform_rows
from loramake.sandbox import Sandbox
from loramake.tables.source import row_number
from loramake.tasks.answers import Answers

SAMPLE_ROWS = 64
_CELLS = 8


@dataclass(frozen=True)
class Check:
    """One requirement, whether it was met, and the evidence."""

    name: str
    passed: bool
    detail: str
    rows: list[int] = field(default_factory=list)
    """Data rows that show the failure."""


@dataclass(frozen=True)
class Prepared:
    """What to check: the records, the code that made them, and the tables they were made from."""

    records: list[Record]
    plan: Plan
    splits: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    script: Path
    state: Path
    sandbox: Sandbox


def check_records(prepared: Prepared) -> list[Check]:
    """Each row once, nothing empty, the correct answer for every row, one instruction."""
    records, splits = prepared.records, prepared.splits
    keys = Counter((record.get("source"), record["row"]) for record in records)
    expected = Counter(zip(splits["source"], splits["row"], strict=True))
    empty = [
        r["row"]
        for r in records
        if not (r["instruction"].strip() and r["input"].strip() and r.get("output", "").strip())
    ]
    answers: Mapping[Any, str] = Answers.of(prepared.plan).by_label
    target = prepared.plan["target"]
    wrong = [
        record["row"]
        for record in records
        if answers.get(prepared.tables[record.get("source", "csv")][target].get(record["row"])) != record.get("output")
    ]
    instructions = {record["instruction"] for record in records}
    return [
        Check("each row once", keys == expected, f"{len(records):,} records for {len(splits):,} rows"),
        Check("nothing empty", not empty, _rows_text(empty, "with an empty instruction, input or output"), empty),
        Check(
            "outputs are the labels", not wrong, _rows_text(wrong, "whose output is not the label in the CSV"), wrong
        ),
        Check(
            "the plan's instruction everywhere",
            instructions == {prepared.plan["instruction"]},
            f"{len(instructions - {prepared.plan['instruction']})} other instructions",
        ),
    ]


def _rows_text(rows: list[int], fault: str) -> str:
    return f"{len(rows):,} records {fault}" + (f", first of row {row_number(rows[0])}" if rows else "")


def check_behaviour(prepared: Prepared) -> list[Check]:
    """Transform rows again among other rows: no prompt may change; and no prompt may use a dropped column."""
    inputs = {(record.get("source", "csv"), record["row"]): record["input"] for record in prepared.records}
    most = max(1, min(SAMPLE_ROWS, len(inputs) // 2))  # never the whole table
    keys = sample(sorted(inputs), most, _seed_of(prepared))
    alone = _inputs(prepared, pd.concat([prepared.tables[source].loc[[row]] for source, row in keys]))
    changed = [key[1] for key, text in zip(keys, alone, strict=True) if text != inputs[key]]
    return [
        Check(
            "a row's prompt is the same whichever rows are beside it",
            not changed,
            f"{len(changed)} of {len(keys)} sampled rows changed when transformed in another order, among other rows",
            changed,
        ),
        _check_left_out(prepared.plan),
    ]


def _seed_of(prepared: Prepared) -> str:
    """A seed that no code can predict: it follows from all prompts together with their labels, which no code sees."""
    text = "\0".join(f"{record['input']}\0{record.get('output', '')}" for record in prepared.records)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _check_left_out(plan: Plan) -> Check:
    """The code gets the plan's features alone, so only the plan could let such a column in."""
    left_out = {plan["target"], *(entry["name"] for entry in plan["dropped"])}
    inside = [name for name in feature_names(plan) if name in left_out]
    detail = f"{len(inside)} of {len(left_out)} such columns are among the features"
    named = f": {', '.join(map(repr, inside[:5]))}" if inside else ""
    return Check("target and dropped columns absent", not inside, detail + named)


def check_features(prepared: Prepared) -> Check:
    """Every feature reaches the prompt: if several of its cells are put into one row, some change the prompt."""
    table, seed = prepared.tables["csv"], _seed_of(prepared)
    first = table.iloc[[0]]
    names, parts = [], [first]
    for feature in prepared.plan["features"]:
        cells = list({_cell_key(cell, prepared.plan): cell for cell in table[feature["name"]].dropna()}.values())
        for cell in sample(cells, _CELLS, seed) if len(cells) > 1 else []:
            names.append(feature["name"])
            parts.append(first.assign(**{feature["name"]: cell}))
    usual, *others = _inputs(prepared, pd.concat(parts, ignore_index=True))
    effective = {name for name, text in zip(names, others, strict=True) if text != usual}
    ineffective = [name for name in dict.fromkeys(names) if name not in effective]
    detail = f"{len(ineffective)} of {len(set(names))} features change nothing in the prompt" + (
        f": {', '.join(map(repr, ineffective[:5]))}" if ineffective else ""
    )
    return Check("every feature is in the prompt", not ineffective, detail)


def _cell_key(cell: str, plan: Plan) -> str:
    """One key for cells that may be written alike: equal numbers, and those with the same significant digits."""
    try:
        return f"{float(cell):.{plan['number_format'].get('significant_digits', 17)}g}"
    except ValueError:
        return " ".join(cell.split())[: plan["longest_cell"]]


def _inputs(prepared: Prepared, table: pd.DataFrame) -> list[str]:
    names = feature_names(prepared.plan)
    records = transform_rows(prepared.script, names, table, prepared.state, prepared.sandbox)
    return [record["input"] for record in records]


def sample(items: list[Any], most: int, seed: str = "") -> list[Any]:
    """Some of the items, the same ones for the same seed."""
    return random.Random(seed).sample(items, min(most, len(items)))
