"""How predictions change when the same rows are shown otherwise: columns in another order, under other names, missing.

A model that reads a row as text can depend on what should not matter (prompt formats: Sclar et al. 2024, arXiv
2310.11324). One column missing at a time, this is also a measure of what the model goes by: the increase of the log
loss is the column's importance (feature removal, as surveyed by Covert, Lundberg and Lee 2021, JMLR 22).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.artifact_types.prepare import Feature, Plan, Prompt
from loramake.artifact_types.trust import (
    Calibrator,
    Changes,
    Importance,
    MeasuredRobustness,
    Robustness,
    Unchanged,
    Variant,
    VariantName,
)
from loramake.console import progress, say
from loramake.evaluation.intervals import CONFIDENCE, RESAMPLES, draw_counts, estimate
from loramake.evaluation.metrics import compute_metrics, row_losses
from loramake.explore.splits import read_split
from loramake.llm.extra import import_training
from loramake.llm.scorer import LabelScorer, load_scorer
from loramake.prediction.predictions import Codes, Floats, Scored, read_scored
from loramake.prepare.execution import feature_names, transform_rows
from loramake.sandbox import Sandbox
from loramake.tables.numbers import NumberStyle, to_numbers
from loramake.tables.source import Source
from loramake.tasks import Task, read_task
from loramake.tasks.answers import Answers
from loramake.threads import available_cpus
from loramake.trust.calibration import apply_calibrator
from loramake.trust.cells import read_cells
from loramake.trust.prompts import join_prompt, split_prompt
from loramake.trust.sentences.robustness import notes_on_robustness, summarize_robustness

MAX_ROWS = 500
"""Of more test rows, a sample is looked at."""
MAX_FEATURES = 30
"""Of more features, the first ones of the plan are left out one at a time."""
DIGITS = 2
"""Significant digits that numbers are rounded to."""
REORDERED: Literal["columns reordered"] = "columns reordered"
RENAMED: Literal["columns renamed"] = "columns renamed"
ROUNDED: Literal["numbers rounded"] = "numbers rounded"
VARIANTS: tuple[VariantName, ...] = (REORDERED, RENAMED, ROUNDED)

_AS_IT_IS = "as it is"
_UNMEASURED: Changes = {"changed_decisions": None, "mean_change": None, "roc_auc_change": None, "log_loss_change": None}

Shown = list[Prompt | None]
"""The record of each row, shown in one way; None where the row cannot be shown so."""


def measure_robustness(
    source: Source,
    task: str | Path,
    plan: str | Path,
    splits: str | Path,
    script: str | Path,
    state: str | Path,
    sandbox: Sandbox,
    config: str | Path,
    adapter: str | Path,
    calibrator: str | Path,
    test: str | Path,
    trust_remote_code: bool,
    seed: int,
    threads: int,
    out: str | Path,
) -> None:
    """Write robustness.json: calibrated predictions of test rows beside those of the same rows shown otherwise.

    `test` are the predictions of the test split, which say what rows it has; `config` is a predict YAML, `adapter` a
    folder; `sandbox` is the setting.
    """
    target = read_task(task)
    planned = artifacts.read(plan, schemas.PLAN)
    scored = read_scored(test, target.labels)
    rows = choose_rows(scored, seed)
    found: dict[str, Floats] = {}
    if rows.keys:
        shown = show_otherwise(read_cells(source, rows.keys), planned, script, state, sandbox, seed)
        import_training("torch").set_num_threads(min(threads, available_cpus()))
        arguments = artifacts.read(config, schemas.LMF_CONFIG)
        scorer = load_scorer(arguments, adapter, trust_remote_code)
        raw = score_shown(scorer, shown, Answers.of(planned).texts)
        fitted = artifacts.read(calibrator, schemas.CALIBRATOR)
        found = {name: _calibrated(fitted, probabilities) for name, probabilities in raw.items()}
    _, train = read_split(source, splits, "train")
    gaps = _missing(train, planned)
    robustness = evaluate(target, rows.truth, found, planned, gaps, len(scored.keys), seed)
    artifacts.write(out, robustness, schemas.ROBUSTNESS)
    say(robustness["sentence"])


def choose_rows(scored: Scored, seed: int) -> Scored:
    """All rows, or MAX_ROWS of them drawn by the seed, in the order of the file."""
    drawn = np.random.default_rng(seed).permutation(len(scored.keys))[:MAX_ROWS]
    return scored.take(np.sort(drawn))


def show_otherwise(
    table: pd.DataFrame, plan: Plan, script: str | Path, state: str | Path, sandbox: Sandbox, seed: int
) -> dict[str, Shown]:
    """The rows as they are, in each of VARIANTS, and without each feature (under its place among the features)."""
    features = plan["features"][:MAX_FEATURES]
    changed = {
        _AS_IT_IS: table,
        ROUNDED: round_numbers(table, plan["features"]),
        **{str(place): table.assign(**{one["name"]: None}) for place, one in enumerate(features)},
    }
    rows = pd.concat(changed.values(), ignore_index=True)
    records = transform_rows(script, feature_names(plan), rows, state, sandbox)
    starts = range(0, len(records), len(table))
    shown: dict[str, Shown] = {
        name: list(records[start : start + len(table)]) for name, start in zip(changed, starts, strict=True)
    }
    return {**shown, **_rewritten(records[: len(table)], plan, seed)}


def _rewritten(records: list[Prompt], plan: Plan, seed: int) -> dict[str, Shown]:
    """The prompts with their columns in an order drawn by the seed, and with columns called x1, x2 and so on."""
    names = [feature["name"] for feature in plan["features"]]
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    neutral = [f"x{place}" for place in range(1, len(names) + 1)]
    shown: dict[str, Shown] = {REORDERED: [], RENAMED: []}
    for record in records:
        cells = split_prompt(record["input"], names, plan)
        if cells is None:
            for rewritten in shown.values():
                rewritten.append(None)
            continue
        reordered = join_prompt([names[at] for at in order], [cells[at] for at in order], plan)
        shown[REORDERED].append({**record, "input": reordered})
        shown[RENAMED].append({**record, "input": join_prompt(neutral, cells, plan)})
    return shown


def round_numbers(table: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """The cells of numeric features that are numbers, rounded to DIGITS significant digits, in the column's style."""
    rounded = table.copy()
    for feature in features:
        if feature["number_style"] is not None:
            style = NumberStyle(**feature["number_style"])
            cells, numbers = table[feature["name"]].to_numpy(), to_numbers(table[feature["name"]], style).to_numpy()
            rounded[feature["name"]] = [
                cell if np.isnan(number) else _rounded(number, style)
                for cell, number in zip(cells, numbers.tolist(), strict=True)
            ]
    return rounded


def _rounded(number: float, style: NumberStyle) -> str:
    text = np.format_float_positional(number, precision=DIGITS, unique=False, fractional=False, trim="-")
    return text.replace(".", style.decimal)


def score_shown(scorer: LabelScorer, shown: dict[str, Shown], texts: Sequence[str]) -> dict[str, Floats]:
    """P(label | row) as the model gives it, (rows, labels) for each way of showing; NaN where a row has no record.

    Equal prompts are scored once: a cell that was missing stays missing, and rounding leaves most bins as they are.
    """
    places: dict[tuple[str, str], int] = {}
    unique: list[Prompt] = []
    for record in (record for records in shown.values() for record in records if record is not None):
        if places.setdefault(_prompt(record), len(unique)) == len(unique):
            unique.append(record)
    # Other names may take a few tokens more than the longest prompt of the training had.
    roomy = dataclasses.replace(scorer, cutoff_len=2 * scorer.cutoff_len)
    with progress("scoring rows shown otherwise") as advance:
        scores = np.vstack([roomy.probabilities(unique, texts, advance), np.full((1, len(texts)), np.nan)])
    return {
        name: scores[[-1 if record is None else places[_prompt(record)] for record in records]]
        for name, records in shown.items()
    }


def _prompt(record: Prompt) -> tuple[str, str]:
    return record["instruction"], record["input"]


def _calibrated(calibrator: Calibrator, probabilities: Floats) -> Floats:
    known = ~np.isnan(probabilities[:, 0])
    calibrated = probabilities.copy()
    calibrated[known] = apply_calibrator(calibrator, probabilities[known])
    return calibrated


def _missing(train: pd.DataFrame, plan: Plan) -> list[float | None]:
    """Of each feature, the share of train rows in which it is missing; None where there are no train rows."""
    return [float(train[one["name"]].isna().mean()) if len(train) else None for one in plan["features"]]


def evaluate(
    task: Task,
    truth: Codes,
    found: dict[str, Floats],
    plan: Plan,
    gaps: Sequence[float | None],
    test_rows: int,
    seed: int,
) -> Robustness:
    """The content of robustness.json from the true labels (rows,) and the probabilities of each way of showing.

    `gaps` are the shares of train rows in which each feature is missing. `found` is empty where there are no rows.
    """
    names = [feature["name"] for feature in plan["features"]]
    measured: MeasuredRobustness = {
        "rows": len(truth),
        "test_rows": test_rows,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "as_it_is": _quality(task, truth, found[_AS_IT_IS]) if found else {"roc_auc": None, "log_loss": None},
        "variants": [_variant(task, name, truth, found, plan) for name in VARIANTS],
        "importance": _importance(task, truth, found, names, gaps, seed),
    }
    notes = notes_on_robustness(measured, len(names), MAX_FEATURES)
    return {**measured, "notes": notes, "sentence": summarize_robustness(measured)}


def _quality(task: Task, truth: Codes, probabilities: Floats) -> Unchanged:
    values = compute_metrics(task, truth, probabilities)
    area, loss = (None if np.isnan(value) else value for value in (values["roc_auc"], values["log_loss"]))
    return {"roc_auc": area, "log_loss": loss}


def compare(task: Task, truth: Codes, usual: Floats, other: Floats) -> Changes:
    """What showing rows otherwise changes, from the probabilities (rows, labels) of at least one row."""
    before, after = _quality(task, truth, usual), _quality(task, truth, other)
    return {
        "changed_decisions": float((usual.argmax(axis=1) != other.argmax(axis=1)).mean()),
        "mean_change": float(np.abs(usual - other).sum(axis=1).mean() / 2),
        "roc_auc_change": _difference(after["roc_auc"], before["roc_auc"]),
        "log_loss_change": _difference(after["log_loss"], before["log_loss"]),
    }


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _variant(task: Task, name: VariantName, truth: Codes, found: dict[str, Floats], plan: Plan) -> Variant:
    """One of VARIANTS, on those rows that could be shown so."""
    note = _objection(name, found, plan)
    known = np.zeros(len(truth), dtype=np.bool_) if note else ~np.isnan(found[name][:, 0])
    area, changes = None, _UNMEASURED
    if known.any():
        area = _quality(task, truth[known], found[name][known])["roc_auc"]
        changes = compare(task, truth[known], found[_AS_IT_IS][known], found[name][known])
    return {"name": name, "rows": int(known.sum()), "roc_auc": area, **changes, "note": note}


def _objection(name: str, found: dict[str, Floats], plan: Plan) -> str | None:
    """Why the rows cannot be shown so."""
    if not found:
        return "there are no test rows"
    if name == REORDERED and len(plan["features"]) == 1:
        return "there is one column only"
    if name == RENAMED and (plan["cell_tokens"] is not None or "{name}" not in plan["feature_format"]):
        return "the prompts do not name the columns"
    if name == ROUNDED and not any(feature["number_style"] for feature in plan["features"]):
        return "no column holds numbers"
    if np.isnan(found[name]).all():
        return "the prompts that the preparation code writes cannot be taken apart into their cells"
    return None


def _importance(
    task: Task,
    truth: Codes,
    found: dict[str, Floats],
    names: Sequence[str],
    gaps: Sequence[float | None],
    seed: int,
) -> list[Importance]:
    """What leaving out each feature changes, the most important first."""
    if not found:
        return []
    usual = found[_AS_IT_IS]
    others = [found[str(place)] for place in range(min(len(names), MAX_FEATURES))]
    losses = row_losses(truth, usual)
    increases = np.stack([row_losses(truth, other) - losses for other in others], axis=1)
    means = [counts @ increases / len(truth) for counts in draw_counts(len(truth), seed)]
    resampled = np.concatenate(means)
    entries: list[Importance] = []
    for place, other in enumerate(others):
        changes = compare(task, truth, usual, other)
        increase = float(increases[:, place].mean())
        interval = estimate(increase, resampled[:, place])
        entries.append(
            {
                "feature": names[place],
                "log_loss_increase": {"value": increase, "low": interval["low"], "high": interval["high"]},
                "roc_auc_change": changes["roc_auc_change"],
                "changed_decisions": changes["changed_decisions"],
                "mean_change": changes["mean_change"],
                "missing_in_training": gaps[place],
            }
        )
    return sorted(entries, key=lambda entry: -entry["log_loss_increase"]["value"])
