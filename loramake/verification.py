"""Checks of the prepared records: by what the code does with changed rows, not by how it reads."""

import importlib.util
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from loramake import artifacts
from loramake.agents import get_agent
from loramake.console import log, progress, say
from loramake.errors import CodeError
from loramake.preparation import transform_rows
from loramake.sandbox import Sandbox
from loramake.splits import SPLITS, read_splits
from loramake.tables import read_table

Record = dict[str, Any]

SAMPLE_ROWS = 64
_SAMPLES_FOR_AGENT = 5
_CHARACTERS_A_TOKEN = 3
_SENTINEL = "loramake-sentinel"


@dataclass(frozen=True)
class Check:
    """One thing that must hold, whether it did, and the evidence."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Prepared:
    """What is checked: the records, the code that made them, and the tables they were made from."""

    records: list[Record]
    plan: dict[str, Any]
    splits: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    script: Path
    state: Path
    sandbox: Sandbox


def verify_prepared_data(
    all_data: str | Path,
    plan: str | Path,
    splits: str | Path,
    script: str | Path,
    state: str | Path,
    csv: str | Path,
    test_csv: str | Path | None,
    encoder: dict[str, Any],
    cutoff_len: int,
    agent: str,
    sandbox: Sandbox,
    out: str | Path,
) -> None:
    """Write verification.json; CodeError, after all checks ran and before the agent is asked, where one failed.

    `encoder` holds the settings model, template and trust_remote_code.
    """
    tables = {"csv": read_table(csv)}
    if test_csv is not None:
        tables["test_csv"] = read_table(test_csv, like=list(tables["csv"].columns))
    prepared = Prepared(
        artifacts.read(all_data, "records"),
        artifacts.read(plan, "plan"),
        read_splits(splits),
        tables,
        Path(script),
        Path(state),
        sandbox,
    )
    tokens = count_tokens(prepared, encoder, cutoff_len)
    checks = [*check_records(prepared), *check_behaviour(prepared), _check_tokens(tokens)]
    _refuse_failures(checks, script)
    critic = get_agent(agent)
    by_split = records_by_split(prepared)
    critique = critic.verify(
        prepared.plan, {name: _sample(records, _SAMPLES_FOR_AGENT) for name, records in by_split.items()}
    )
    found = {
        "checks": [vars(check) for check in checks],
        "tokens": tokens,
        "classes": {name: count_labels(records, prepared.plan) for name, records in by_split.items()},
        "critique": critique,
        "sandbox": {"setting": sandbox.setting, "used": sandbox.name},
        "by": critic.by,
    }
    artifacts.write(out, found, "verification")
    say(f"all {len(checks)} checks passed; the longest prompt and answer have {_tokens_text(tokens)}.")


def _refuse_failures(checks: list[Check], script: str | Path) -> None:
    failed = [check for check in checks if not check.passed]
    for check in checks:
        log.info("%s: %s: %s", "passed" if check.passed else "FAILED", check.name, check.detail)
    if failed:
        raise CodeError(
            f"{script}: {len(failed)} of {len(checks)} checks failed, first {failed[0].name}: {failed[0].detail}"
        )


def records_by_split(prepared: Prepared) -> dict[str, list[Record]]:
    """The records of each split, in the order of splits.csv."""
    of_key = {(record["source"], record["row"]): record for record in prepared.records if "source" in record}
    by_split: dict[str, list[Record]] = {name: [] for name in SPLITS}
    for row, source, split in prepared.splits.itertuples(index=False, name=None):
        if (source, row) in of_key:
            by_split[split].append(of_key[source, row])
    return by_split


def count_labels(records: list[Record], plan: dict[str, Any]) -> dict[str, int]:
    """Records of every label, zeros included, keyed by the label's value."""
    counts = Counter(record["output"] for record in records)
    return {label["value"]: counts.get(label["text"], 0) for label in plan["labels"]}


def _sample(items: list[Any], most: int) -> list[Any]:
    return random.Random(0).sample(items, min(most, len(items)))


def check_records(prepared: Prepared) -> list[Check]:
    """Each row once, nothing empty, the right answer for every row, one instruction."""
    records, splits = prepared.records, prepared.splits
    keys = Counter((record.get("source"), record["row"]) for record in records)
    wanted = Counter(zip(splits["source"], splits["row"], strict=True))
    empty = [
        r["row"]
        for r in records
        if not (r["instruction"].strip() and r["input"].strip() and r.get("output", "").strip())
    ]
    answers = {label["value"]: label["text"] for label in prepared.plan["labels"]}
    target = prepared.plan["target"]
    wrong = [
        record["row"]
        for record in records
        if answers.get(prepared.tables[record.get("source", "csv")][target].get(record["row"])) != record.get("output")
    ]
    instructions = {record["instruction"] for record in records}
    return [
        Check("each row once", keys == wanted, f"{len(records):,} records for {len(splits):,} rows"),
        Check("nothing empty", not empty, _rows_text(empty, "with an empty instruction, input or output")),
        Check("outputs are the labels", not wrong, _rows_text(wrong, "whose output is not the label in the CSV")),
        Check("one instruction", len(instructions) == 1, f"{len(instructions)} different instructions"),
    ]


def _rows_text(rows: list[int], what: str) -> str:
    return f"{len(rows):,} records {what}" + (f", first of data row {rows[0]}" if rows else "")


def check_behaviour(prepared: Prepared) -> list[Check]:
    """Transform again: other rows beside a row must change nothing, nor may the target or a dropped column."""
    inputs = {record["row"]: record["input"] for record in prepared.records if record.get("source") == "csv"}
    rows = _sample(sorted(inputs), max(1, min(SAMPLE_ROWS, len(inputs) // 2)))  # never the whole table
    table = prepared.tables["csv"].loc[rows]
    alone = _inputs(prepared, table)
    changed = [row for row, text in zip(rows, alone, strict=True) if text != inputs[row]]
    hidden = [
        name for name in [prepared.plan["target"], *(d["name"] for d in prepared.plan["dropped"])] if name in table
    ]
    marked = table.assign(**{name: f"{_SENTINEL}-{place}" for place, name in enumerate(hidden)})
    leaking = [row for row, text in zip(rows, _inputs(prepared, marked), strict=True) if text != inputs[row]]
    return [
        Check(
            "a row's prompt is the same whichever rows are beside it",
            not changed,
            f"{len(changed)} of {len(rows)} sampled rows changed when transformed in another order and company",
        ),
        Check(
            "target and dropped columns absent",
            not leaking,
            f"{len(leaking)} of {len(rows)} sampled prompts changed with the cells of {len(hidden)} such columns",
        ),
    ]


def _inputs(prepared: Prepared, table: pd.DataFrame) -> list[str]:
    return [record["input"] for record in transform_rows(prepared.script, table, prepared.state, prepared.sandbox)]


def count_tokens(prepared: Prepared, encoder: dict[str, Any], cutoff_len: int) -> dict[str, Any]:
    """Tokens of prompt and longest answer by the model's own tokenizer, or an estimate without the training extra."""
    answers = [label["text"] for label in prepared.plan["labels"]]
    estimated = importlib.util.find_spec("llamafactory") is None
    if estimated:
        longest_answer = max(map(len, answers))
        lengths = [
            (len(r["instruction"]) + len(r["input"]) + longest_answer) // _CHARACTERS_A_TOKEN for r in prepared.records
        ]
    else:
        from loramake.encoding import find_template, load_encoder

        model, remote = encoder["model"], encoder["trust_remote_code"]
        chat = load_encoder(model, find_template(model, encoder["template"], remote), remote)
        answer_tokens = max(len(chat.label_ids(text)) for text in answers)
        with progress("counting tokens, rows") as advance:
            lengths = []
            for done, record in enumerate(prepared.records, 1):
                lengths.append(len(chat.prompt_ids(record)) + answer_tokens)
                advance(done, len(prepared.records))
    mean = round(sum(lengths) / max(1, len(lengths)), 1)
    return {"longest": max(lengths, default=0), "mean": mean, "cutoff_len": cutoff_len, "estimated": estimated}


def _tokens_text(tokens: dict[str, Any]) -> str:
    guessed = "an estimated " if tokens["estimated"] else ""
    return f"{guessed}{tokens['longest']:,} tokens of at most {tokens['cutoff_len']:,}"


def _check_tokens(tokens: dict[str, Any]) -> Check:
    fits = tokens["longest"] <= tokens["cutoff_len"]
    advice = "" if fits else ": raise cutoff_len in config.yaml, or drop features"
    return Check("prompts fit into cutoff_len", fits, f"the longest has {_tokens_text(tokens)}{advice}")
