"""The report of synthetic rows: its facts, its pictures and the page itself, without a run."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loramake import artifacts
from loramake.evaluation.intervals import CONFIDENCE
from loramake.evaluation.scores import name_model
from loramake.plots.audit import plot_audit
from loramake.plots.calibration import plot_reliability
from loramake.plots.conformal import plot_conformal
from loramake.plots.evaluation import plot_evaluation
from loramake.plots.features import plot_feature_rankings
from loramake.plots.risk import plot_risk_coverage
from loramake.plots.robustness import plot_importance
from loramake.prepare.ranking import METHODS, average_ranks
from loramake.rendering import render
from loramake.report.report import SHOWN, page_frame, read_picture, spread
from loramake.report.words import METRIC_NAMES, describe_labels
from loramake.tasks import Classification
from loramake.trust.audit import audit, evaluate
from loramake.trust.group_measures import count_rows
from loramake.trust.label_noise import summarize
from tests.cases import as_scored, random_case
from tests.conftest import task_of
from tests.files import measure_trust

Facts = dict[str, Any]


def make_facts(folder: Path, labels: list[str], method: str, confidence: float, max_selective_error: float) -> Facts:
    """The facts that page and card are rendered from, measured by the library on synthetic rows."""
    costs = {true: {decided: int(true != decided) for decided in labels} for true in labels}
    measure_trust(folder, labels, costs, method, confidence, max_selective_error)
    measured = ("metrics", "calibrator", "calibration_measures", "conformal", "risk", "costs")
    read = {name: artifacts.read(folder / f"{name}.json", name) for name in measured}
    return read | by_hand(labels, read["risk"])


ROBUSTNESS = {
    "importance": [],
    "notes": [],
    "rows": 240,
    "sentence": "Nothing was perturbed.",
    "test_rows": 240,
    "variants": [],
}
VERIFICATION = {
    "checks": [],
    "critique": [],
    "sandbox": {"used": "bubblewrap"},
    "tokens": {"longest": 9, "mean": 8, "estimated": False, "cutoff_len": 64},
}


def by_hand(labels: list[str], risk: dict[str, Any]) -> Facts:
    """The facts that the measuring functions do not provide."""
    task = task_of(labels)
    by = {"provider": "builtin", "model": None}
    many = [{"name": f"column {index}", "reason": "constant"} for index in range(30)]
    return page_frame() | {
        "adapter": "results/exp/adapter",
        "audit": {
            "columns": [],
            "groups_sentence": "No groups are compared.",
            "requirements": [],
            "sentence": "No requirements are set.",
        },
        "curve": spread(risk["test"]["curve"], SHOWN["points"]),
        "date": "2026-02-28",
        "experiment": "exp",
        "history": [],
        "interval_confidence": CONFIDENCE,
        "label_noise": summarize(240, []),
        "meaning_of_labels": describe_labels(task),
        "metric_names": METRIC_NAMES,
        "model_card": "results/exp/model_card.md",
        "name_model": name_model,
        "plan": {
            "balance": {"proposal": "none", "reason": "even"},
            "by": by,
            "dropped": many,
            "features": [{"name": "age"}],
            "labels": [{"value": label, "text": label} for label in labels],
        },
        "plots": defaultdict(lambda: {"address": "", "width": 400, "height": 300}),
        "profile": {"columns": [], "csv": "t.csv", "duplicate_rows": 0, "rows": 480},
        "readings": [],
        "robustness": ROBUSTNESS,
        "rows_by_split": "240 rows each",
        "sample": {"instruction": "y:", "input": "age 40", "output": labels[0]},
        "selected_features": {"note": "all are kept", "ranked": False},
        "shown": SHOWN,
        "shown_metrics": Classification.shown_metrics,
        "suspects": [],
        "task": task,
        "train_config": {"model_name_or_path": "models/tiny"},
        "trained_on": dict.fromkeys(labels, 8),
        "unusable_columns": {"rows": 240, "ids": [], "constants": [], "leaks": many},
        "verification": VERIFICATION,
        "seconds": {"run_finetuning": 60.0},
        "settings": {"target": "y"},
        "hashes": {"results/exp/adapter/adapter_model.safetensors": "0" * 64},
        "samples": {"correct": [], "incorrect": [], "unsure": []},
        "transcripts": {},
        "unset": [],
        "versions": {},
    }


def write_page(folder: Path, labels: list[str], columns: list[str]) -> Path:
    """report.html of 240 test rows with these labels, from a table with these columns, everything on it."""
    facts = make_facts(folder, labels, "temperature", 0.9, 0.1)
    cells = dict.fromkeys(columns, "a cell of some words")
    sample = {
        "key": ("csv", 7),
        "name": "row 9 of csv",
        "label": labels[0],
        "predicted": labels[1],
        "probability": 0.9,
        "prompt": "y:\n<c1> <c2>",
    }
    hash_of = {"results/exp/data/verification.json": "0" * 64}
    facts |= {
        "audit": audit_of(labels, columns[0]),
        "history": [
            {
                "review": "data",
                "decision": "approve",
                "by": "person",
                "time": "2026-02-28T10:00:00+00:00",
                "sha256": hash_of,
            }
        ],
        "robustness": robustness_of(columns),
        "samples": {"correct": [sample | {"cells": cells}], "incorrect": [], "unsure": []},
        "suspects": [{"row": "7", "label": labels[0], **cells}] * 12,
    }
    facts["plan"] = facts["plan"] | {"features": [{"name": name} for name in columns]}
    facts["plots"] = {path.stem: read_picture(path) for path in draw(folder, facts, columns)}
    page = folder / "report.html"
    page.write_text(render("render_report.html.j2", **facts), encoding="utf-8")
    return page


def audit_of(labels: list[str], column: str) -> dict[str, Any]:
    """audit.json of random predictions, by a column of four groups."""
    truth, probabilities = random_case(240, len(labels), seed=1)
    sets = np.ones(probabilities.shape, dtype=bool)
    rows = count_rows(
        as_scored(truth, probabilities),
        probabilities.argmax(axis=1),
        sets,
        np.zeros(len(truth), dtype=bool),
        Classification("y", labels),
    )
    groups = pd.Series(["north", "south", "east", "west"] * 60, name=column, dtype=object)
    return dict(evaluate(rows, *audit(rows, [groups], seed=0), []))


def robustness_of(columns: list[str]) -> dict[str, Any]:
    """robustness.json in which each column matters less than the one before it."""
    change = {"changed_decisions": 0.1, "mean_change": 0.05, "roc_auc_change": -0.01, "log_loss_change": 0.02}
    increases = [0.2 / (1 + index) for index in range(len(columns))]
    return {
        "rows": 100,
        "test_rows": 24_000,
        "confidence": CONFIDENCE,
        "resamples": 1000,
        "as_it_is": {"roc_auc": 0.9, "log_loss": 0.4},
        "variants": [{"name": "columns reordered", "rows": 240, "roc_auc": 0.9, "note": None, **change}],
        "importance": [
            {
                "feature": name,
                "log_loss_increase": {"value": increase, "low": increase - 0.05, "high": increase + 0.05},
                "roc_auc_change": -0.01,
                "changed_decisions": 0.1,
                "mean_change": 0.05,
                "missing_in_training": 0.0,
            }
            for name, increase in zip(columns, increases, strict=True)
        ],
        "notes": [],
        "sentence": "Some decisions change.",
    }


def draw(folder: Path, facts: Facts, columns: list[str]) -> list[Path]:
    """Every picture of the page, by the functions of its rules."""
    for name in ("audit", "robustness"):
        artifacts.write(folder / f"{name}.json", facts[name], name)
    losses = [
        {"current_steps": step, "total_steps": 20, "loss": 1 / step, "lr": 0.1, "epoch": 1.0} for step in (5, 10, 20)
    ]
    artifacts.write(folder / "trainer_log.jsonl", losses, "trainer_log")
    write_rankings(folder / "feature_rankings.csv", columns)
    names = ("confusion_matrix", "roc", "precision_recall", "loss")
    evaluated = [folder / f"{name}.svg" for name in names]
    inputs = [folder / name for name in ("task.json", "test.jsonl", "baselines.json", "trainer_log.jsonl")]
    plot_evaluation(*inputs, *evaluated)
    others = {
        "reliability": (plot_reliability, "calibration_measures.json"),
        "conformal": (plot_conformal, "conformal.json"),
        "risk_coverage": (plot_risk_coverage, "risk.json"),
        "audit": (plot_audit, "audit.json"),
        "importance": (plot_importance, "robustness.json"),
        "feature_rankings": (plot_feature_rankings, "feature_rankings.csv"),
    }
    for name, (plot, artifact) in others.items():
        plot(folder / artifact, folder / f"{name}.svg")
    return [*evaluated, *(folder / f"{name}.svg" for name in others)]


def write_rankings(path: Path, names: list[str]) -> None:
    """feature_rankings.csv of features whose every score falls from name to name, the last half at chance level."""
    falling = np.linspace(1.0, 0.0, len(names))
    scores = pd.DataFrame({"feature": names, "variance": 1.0, **dict.fromkeys(METHODS, falling)})
    average_ranks(scores, dict.fromkeys(METHODS, 0.5)).to_csv(path, index=False)
