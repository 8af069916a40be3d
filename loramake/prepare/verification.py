"""Verifies the prepared records before anybody has to approve them: checks first, then the agent's critique."""

import importlib.util
from pathlib import Path

import pandas as pd

from loramake import artifacts, schemas
from loramake.agents import Agent, Sample
from loramake.artifact_types.prepare import Record, TokenCounts, Verification
from loramake.console import log, progress, say
from loramake.errors import CodeError
from loramake.explore.splits import SPLITS, read_splits
from loramake.prepare.checks import Check, Prepared, check_behaviour, check_records, sample
from loramake.sandbox import Sandbox
from loramake.settings import Settings
from loramake.tables.source import Source
from loramake.tasks.answers import Answers

_SAMPLES_FOR_AGENT = 5
_CHARACTERS_A_TOKEN = 3


def verify_prepared_data(
    all_data: str | Path,
    plan: str | Path,
    splits: str | Path,
    script: str | Path,
    state: str | Path,
    source: Source,
    profile: str | Path,
    encoder: Settings,
    cutoff_len: int,
    agent: Agent,
    sandbox: Sandbox,
    out: str | Path,
) -> None:
    """Write verification.json; CodeError, after all checks and before the agent's critique, if one failed.

    `encoder` contains the settings model, template and trust_remote_code.
    """
    prepared = Prepared(
        artifacts.read(all_data, schemas.RECORDS),
        artifacts.read(plan, schemas.PLAN),
        read_splits(splits),
        source.read(),
        Path(script),
        Path(state),
        sandbox,
    )
    tokens = count_tokens(prepared, encoder, cutoff_len)
    checks = [*check_records(prepared), *check_behaviour(prepared), _check_tokens(tokens)]
    _refuse_failures(checks, script)
    by_split, answers = records_by_split(prepared), Answers.of(prepared.plan)
    passed = [f"{check.name}: {check.detail}" for check in checks]
    described = artifacts.read(profile, schemas.PROFILE)
    critique = agent.verify(prepared.plan, described, passed, _samples(by_split, prepared.tables))
    verification: Verification = {
        "checks": [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in checks],
        "tokens": tokens,
        "classes": {
            name: answers.count_outputs(record["output"] for record in records) for name, records in by_split.items()
        },
        "critique": critique,
        "judged": agent.judged(),
        "sandbox": {"setting": sandbox.setting, "used": sandbox.name},
        "by": agent.by,
    }
    artifacts.write(out, verification, schemas.VERIFICATION)
    for finding in critique:
        say(f"the agent's finding ({finding['severity']}): {finding['issue']}: {finding['suggestion']}")
    say(f"all {len(checks)} checks passed; the longest prompt and answer have {_tokens_text(tokens)}.")


def _samples(by_split: dict[str, list[Record]], tables: dict[str, pd.DataFrame]) -> dict[str, list[Sample]]:
    """Some records of each split, the same ones each time, with the rows they were made from."""
    return {
        split: [
            {"record": record, "cells": tables[record.get("source", "csv")].loc[record["row"]]}
            for record in sample(records, _SAMPLES_FOR_AGENT)
        ]
        for split, records in by_split.items()
    }


def _refuse_failures(checks: list[Check], script: str | Path) -> None:
    failed = [check for check in checks if not check.passed]
    for check in checks:
        log.info("%s: %s: %s", "passed" if check.passed else "FAILED", check.name, check.detail)
    if failed:
        raise CodeError(
            f"{script}: {len(failed)} of {len(checks)} checks failed; the first is {failed[0].name}: {failed[0].detail}"
        )


def records_by_split(prepared: Prepared) -> dict[str, list[Record]]:
    """The records of each split, in the order of splits.csv."""
    by_key = {(record["source"], record["row"]): record for record in prepared.records if "source" in record}
    by_split: dict[str, list[Record]] = {name: [] for name in SPLITS}
    for row, source, split in prepared.splits.itertuples(index=False, name=None):
        if (source, row) in by_key:
            by_split[split].append(by_key[source, row])
    return by_split


def count_tokens(prepared: Prepared, encoder: Settings, cutoff_len: int) -> TokenCounts:
    """Tokens of prompt and longest answer by the model's tokenizer; an estimate without the training extra."""
    answers = Answers.of(prepared.plan).texts
    estimated = importlib.util.find_spec("llamafactory") is None
    if estimated:
        longest_answer = max(map(len, answers))
        lengths = [
            (len(r["instruction"]) + len(r["input"]) + longest_answer) // _CHARACTERS_A_TOKEN for r in prepared.records
        ]
    else:
        from loramake.llm.encoding import find_template, load_encoder

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


def _tokens_text(tokens: TokenCounts) -> str:
    guessed = "an estimated " if tokens["estimated"] else ""
    return f"{guessed}{tokens['longest']:,} tokens of at most {tokens['cutoff_len']:,}"


def _check_tokens(tokens: TokenCounts) -> Check:
    fits = tokens["longest"] <= tokens["cutoff_len"]
    advice = "" if fits else ": raise cutoff_len in config.yaml, or drop features"
    return Check("prompts fit into cutoff_len", fits, f"the longest has {_tokens_text(tokens)}{advice}")
