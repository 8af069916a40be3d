"""How predictions change when the same rows are perturbed: columns reordered, renamed or missing, numbers rounded.

A model that reads a row as text can depend on what should not matter (prompt formats: Sclar et al. 2024, arXiv
2310.11324). With one column missing at a time, this also measures what the model relies on: the increase of the log
loss is the column's importance (feature removal, as surveyed by Covert, Lundberg and Lee 2021, JMLR 22).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from loramake import artifacts, schemas
from loramake.arrays import Codes, Floats
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
from loramake.evaluation.losses import row_losses
from loramake.evaluation.metrics import compute_metrics
from loramake.explore.splits import read_split
from loramake.llm.extra import import_training
from loramake.llm.scorer import LabelScorer, load_scorer
from loramake.prediction.predictions import Scored, read_scored
from loramake.prepare.execution import feature_names, transform_rows
from loramake.sandbox import Sandbox
from loramake.tables.numbers import to_numbers
from loramake.tables.source import Source
from loramake.tasks import Task, read_task
from loramake.tasks.answers import Answers
from loramake.threads import available_cpus
from loramake.trust.calibration import apply_calibrator
from loramake.trust.cells import read_cells
from loramake.trust.prompts import join_prompt, split_prompt
from loramake.trust.sentences.robustness import notes_on_robustness, summarize_robustness

MAX_FEATURES = 30
"""With more features, only the first ones of the plan are left out one at a time."""
DIGITS = 2
"""Significant digits that numbers are rounded to."""
REORDERED: Literal["columns reordered"] = "columns reordered"
RENAMED: Literal["columns renamed"] = "columns renamed"
ROUNDED: Literal["numbers rounded"] = "numbers rounded"
VARIANTS: tuple[VariantName, ...] = (REORDERED, RENAMED, ROUNDED)

_AS_IT_IS = "as it is"
_UNMEASURED: Changes = {"changed_decisions": None, "mean_change": None, "roc_auc_change": None, "log_loss_change": None}

Prompts = list[Prompt | None]
"""The prompt of each row in one variant; None where the row cannot be perturbed this way."""


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
    label_shift: str | Path,
    calibrator: str | Path,
    test: str | Path,
    trust_remote_code: bool,
    robustness_rows: int,
    seed: int,
    threads: int,
    out: str | Path,
) -> None:
    """Write robustness.json: calibrated predictions of test rows compared with those of the same rows perturbed.

    `test` are the predictions of the test split, which define its rows; `config` is a predict YAML, `adapter` a
    folder; `sandbox` is the setting; `robustness_rows` how many test rows are drawn at random, 0 for all.
    """
    target = read_task(task)
    planned = artifacts.read(plan, schemas.PLAN)
    scored = read_scored(test, target.labels)
    sample = choose_rows(scored, robustness_rows, seed)
    predicted: dict[str, Floats] = {}
    if sample.keys:
        variants = perturb_rows(read_cells(source, sample.keys), planned, script, state, sandbox, seed)
        import_training("torch").set_num_threads(min(threads, available_cpus()))
        arguments = artifacts.read(config, schemas.LMF_CONFIG)
        scorer = load_scorer(arguments, adapter, trust_remote_code, artifacts.read(label_shift, schemas.LABEL_SHIFT))
        raw = score_variants(scorer, variants, Answers.of(planned).texts)
        fitted = artifacts.read(calibrator, schemas.CALIBRATOR)
        predicted = {name: _calibrate(fitted, probabilities) for name, probabilities in raw.items()}
    _, train = read_split(source, splits, "train")
    missing = _missing_shares(train, planned)
    robustness = evaluate(target, sample.truth, predicted, planned, missing, len(scored.keys), seed)
    artifacts.write(out, robustness, schemas.ROBUSTNESS)
    say(robustness["sentence"])


def choose_rows(scored: Scored, rows: int, seed: int) -> Scored:
    """All rows if `rows` is 0, else so many, a simple random sample by the seed, in the order of the file."""
    drawn = np.random.default_rng(seed).permutation(len(scored.keys))[: rows or None]
    return scored.take(np.sort(drawn))


def perturb_rows(
    table: pd.DataFrame, plan: Plan, script: str | Path, state: str | Path, sandbox: Sandbox, seed: int
) -> dict[str, Prompts]:
    """The rows unchanged, in each of VARIANTS, and without each feature (keyed by its index among the features)."""
    features = plan["features"][:MAX_FEATURES]
    tables = {
        _AS_IT_IS: table,
        ROUNDED: round_numbers(table, plan["features"]),
        **{str(index): table.assign(**{feature["name"]: None}) for index, feature in enumerate(features)},
    }
    rows = pd.concat(tables.values(), ignore_index=True)
    records = transform_rows(script, feature_names(plan), rows, state, sandbox)
    starts = range(0, len(records), len(table))
    variants: dict[str, Prompts] = {
        name: list(records[start : start + len(table)]) for name, start in zip(tables, starts, strict=True)
    }
    return {**variants, **_rewrite(records[: len(table)], plan, seed)}


def _rewrite(records: list[Prompt], plan: Plan, seed: int) -> dict[str, Prompts]:
    """The prompts with their columns in random order by the seed, and with columns called x1, x2 and so on."""
    names = [feature["name"] for feature in plan["features"]]
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    neutral = [f"x{number}" for number in range(1, len(names) + 1)]
    variants: dict[str, Prompts] = {REORDERED: [], RENAMED: []}
    for record in records:
        cells = split_prompt(record["input"], names, plan)
        if cells is None:
            for prompts in variants.values():
                prompts.append(None)
            continue
        reordered = join_prompt([names[index] for index in order], [cells[index] for index in order], plan)
        variants[REORDERED].append({**record, "input": reordered})
        variants[RENAMED].append({**record, "input": join_prompt(neutral, cells, plan)})
    return variants


def round_numbers(table: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """The table with the numbers of numeric features rounded to DIGITS significant digits."""
    rounded = table.copy()
    for feature in features:
        if feature["type"] in ("numeric", "id"):
            cells, numbers = table[feature["name"]].to_numpy(), to_numbers(table[feature["name"]]).to_numpy()
            rounded[feature["name"]] = [
                cell if np.isnan(number) else _round(number)
                for cell, number in zip(cells, numbers.tolist(), strict=True)
            ]
    return rounded


def _round(number: float) -> str:
    return np.format_float_positional(number, precision=DIGITS, unique=False, fractional=False, trim="-")


def score_variants(scorer: LabelScorer, variants: dict[str, Prompts], texts: Sequence[str]) -> dict[str, Floats]:
    """P(label | row), uncalibrated, (rows, labels) for each variant; NaN where a row has no prompt.

    Equal prompts are scored once: a cell that was missing stays missing, and rounding leaves most bins as they are.
    """
    indices: dict[tuple[str, str], int] = {}
    unique: list[Prompt] = []
    for prompt in (prompt for prompts in variants.values() for prompt in prompts if prompt is not None):
        if indices.setdefault(_text_of(prompt), len(unique)) == len(unique):
            unique.append(prompt)
    # Other names may take a few more tokens than the longest prompt in training.
    longer = dataclasses.replace(scorer, cutoff_len=2 * scorer.cutoff_len)
    with progress("scoring perturbed rows") as advance:
        scores = np.vstack([longer.probabilities(unique, texts, advance), np.full((1, len(texts)), np.nan)])
    return {
        name: scores[[-1 if prompt is None else indices[_text_of(prompt)] for prompt in prompts]]
        for name, prompts in variants.items()
    }


def _text_of(prompt: Prompt) -> tuple[str, str]:
    return prompt["instruction"], prompt["input"]


def _calibrate(calibrator: Calibrator, probabilities: Floats) -> Floats:
    scored = ~np.isnan(probabilities[:, 0])
    calibrated = probabilities.copy()
    calibrated[scored] = apply_calibrator(calibrator, probabilities[scored])
    return calibrated


def _missing_shares(train: pd.DataFrame, plan: Plan) -> list[float | None]:
    """Of each feature, the share of train rows in which it is missing; None where there are no train rows."""
    return [float(train[feature["name"]].isna().mean()) if len(train) else None for feature in plan["features"]]


def evaluate(
    task: Task,
    truth: Codes,
    predicted: dict[str, Floats],
    plan: Plan,
    missing: Sequence[float | None],
    test_rows: int,
    seed: int,
) -> Robustness:
    """The content of robustness.json from the true labels (rows,) and the probabilities of each variant.

    `missing` are the shares of train rows in which each feature is missing. Without rows, `predicted` is empty.
    """
    names = [feature["name"] for feature in plan["features"]]
    measured: MeasuredRobustness = {
        "rows": len(truth),
        "test_rows": test_rows,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "as_it_is": _quality(task, truth, predicted[_AS_IT_IS]) if predicted else {"roc_auc": None, "log_loss": None},
        "variants": [_variant(task, name, truth, predicted, plan) for name in VARIANTS],
        "importance": _importance(task, truth, predicted, names, missing, seed),
    }
    notes = notes_on_robustness(measured, len(names), MAX_FEATURES)
    return {**measured, "notes": notes, "sentence": summarize_robustness(measured)}


def _quality(task: Task, truth: Codes, probabilities: Floats) -> Unchanged:
    values = compute_metrics(task, truth, probabilities)
    area, loss = (None if np.isnan(value) else value for value in (values["roc_auc"], values["log_loss"]))
    return {"roc_auc": area, "log_loss": loss}


def compare(task: Task, truth: Codes, original: Floats, perturbed: Floats) -> Changes:
    """What a perturbation changes, from the probabilities (rows, labels) of at least one row."""
    before, after = _quality(task, truth, original), _quality(task, truth, perturbed)
    return {
        "changed_decisions": float((original.argmax(axis=1) != perturbed.argmax(axis=1)).mean()),
        "mean_change": float(np.abs(original - perturbed).sum(axis=1).mean() / 2),
        "roc_auc_change": _difference(after["roc_auc"], before["roc_auc"]),
        "log_loss_change": _difference(after["log_loss"], before["log_loss"]),
    }


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _variant(task: Task, name: VariantName, truth: Codes, predicted: dict[str, Floats], plan: Plan) -> Variant:
    """One of VARIANTS, on the rows that could be perturbed this way."""
    note = _objection(name, predicted, plan)
    scored = np.zeros(len(truth), dtype=np.bool_) if note else ~np.isnan(predicted[name][:, 0])
    area, changes = None, _UNMEASURED
    if scored.any():
        area = _quality(task, truth[scored], predicted[name][scored])["roc_auc"]
        changes = compare(task, truth[scored], predicted[_AS_IT_IS][scored], predicted[name][scored])
    return {"name": name, "rows": int(scored.sum()), "roc_auc": area, **changes, "note": note}


def _objection(name: str, predicted: dict[str, Floats], plan: Plan) -> str | None:
    """Why the rows cannot be perturbed this way."""
    if not predicted:
        return "there are no test rows"
    if name == REORDERED and len(plan["features"]) == 1:
        return "there is only one column"
    if name == RENAMED and (plan["cell_tokens"] is not None or "{name}" not in plan["feature_format"]):
        return "the prompts do not name the columns"
    if name == ROUNDED and not any(feature["type"] in ("numeric", "id") for feature in plan["features"]):
        return "no column contains numbers"
    if np.isnan(predicted[name]).all():
        return "the prompts written by the preparation code cannot be split into cells"
    return None


def _importance(
    task: Task,
    truth: Codes,
    predicted: dict[str, Floats],
    names: Sequence[str],
    missing: Sequence[float | None],
    seed: int,
) -> list[Importance]:
    """What leaving out each feature changes, the most important first."""
    if not predicted:
        return []
    original = predicted[_AS_IT_IS]
    without = [predicted[str(index)] for index in range(min(len(names), MAX_FEATURES))]
    losses = row_losses(truth, original)
    increases = np.stack([row_losses(truth, perturbed) - losses for perturbed in without], axis=1)
    means = [counts @ increases / len(truth) for counts in draw_counts(len(truth), seed)]
    resampled = np.concatenate(means)
    entries: list[Importance] = []
    for index, perturbed in enumerate(without):
        changes = compare(task, truth, original, perturbed)
        increase = float(increases[:, index].mean())
        interval = estimate(increase, resampled[:, index])
        entries.append(
            {
                "feature": names[index],
                "log_loss_increase": {"value": increase, "low": interval["low"], "high": interval["high"]},
                "roc_auc_change": changes["roc_auc_change"],
                "changed_decisions": changes["changed_decisions"],
                "mean_change": changes["mean_change"],
                "missing_in_training": missing[index],
            }
        )
    return sorted(entries, key=lambda entry: -entry["log_loss_increase"]["value"])
