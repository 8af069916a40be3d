"""report.html, a self-contained page for managers and engineers alike, and model_card.md, from the same facts."""

import base64
import csv
import hashlib
import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from loramake import artifacts, layout, schemas
from loramake.artifact_types.agents import Call, Refusal
from loramake.artifact_types.prediction import Prediction
from loramake.artifact_types.prepare import Record
from loramake.console import say
from loramake.errors import ArtifactError
from loramake.evaluation.intervals import CONFIDENCE
from loramake.evaluation.scores import name_model
from loramake.explore.column_notes import describe_reading
from loramake.explore.splits import describe_splits
from loramake.parsing import ParsingError
from loramake.parsing.json_text import read_json_lines
from loramake.paths import TEMPLATES
from loramake.prediction.predictions import name_of
from loramake.rendering import render
from loramake.report.model_card import render_model_card
from loramake.report.results import package_versions
from loramake.report.timings import read_timings
from loramake.report.words import CALIBRATION_METHODS, METRIC_NAMES, SET_METHODS, describe_labels
from loramake.settings import Settings
from loramake.spreadsheet import original
from loramake.tables.source import Key, Source
from loramake.tasks import task_of
from loramake.tasks.answers import Answers
from loramake.trust.cells import read_cells
from loramake.trust.sentences.conformal import METHOD_NAMES

FILES = (
    *("profile", "task", "splits_summary", "unusable_columns", "selected_features", "plan", "verification", "all_data"),
    *("balanced", "train_config", "adapter", "metrics", "calibrator", "calibrated_test", "calibration_measures"),
    *("conformal", "risk", "costs", "audit", "label_noise", "suspects", "robustness"),
)
"""The artifacts that the page uses and lists with hashes, by their words in layout.FILES."""

CONTENTS = {
    "verdict": "Verdict",
    "use": "Use it",
    "performance": "How well it predicts",
    "calibration": "Can the probabilities be trusted?",
    "conformal": "Prediction sets",
    "risk": "When to abstain",
    "costs": "What decisions cost",
    "audit": "Groups and requirements",
    "robustness": "What the model relies on",
    "samples": "Correct and incorrect predictions",
    "data": "The data",
    "decisions": "Who decided what",
    "making": "Settings, time, versions, hashes",
}
"""The page's sections with their titles; each has a template of this name."""

MEASURE_NAMES = {
    "ece": "expected calibration error",
    "adaptive_ece": "the same, equal-mass bins",
    "mce": "maximum calibration error",
    "classwise_ece": "classwise calibration error",
    "brier": "Brier score (sum over labels, 0 to 2)",
    "brier_reliability": "Brier: reliability",
    "brier_resolution": "Brier: resolution",
    "brier_uncertainty": "Brier: uncertainty",
}

SHOWN = {"labels": 20, "table_rows": 200, "names": 20, "suspects": 10, "columns": 16, "points": 20}
"""Limits on long tables and lists; the page says how many more entries there are."""

_SAMPLES_SHOWN = 3


def render_report(
    experiment: str,
    source: Source,
    files: Mapping[str, str | Path],
    plots: Sequence[str | Path],
    settings: Settings,
    benchmarks: str | Path,
    transcripts: str | Path,
    history: str | Path,
    out: str | Path,
    model_card_out: str | Path,
) -> None:
    """Write report.html, which needs no network and runs no script but its own, and model_card.md.

    `source` has the rows that are shown; `files` are the artifacts by their names in FILES; `plots` are SVG files;
    `transcripts` is the folder of an LLM's requests and answers, `history` the lines of who decided what (either may be
    absent).
    """
    facts = gather_facts(experiment, files, history)
    page = render(
        "render_report.html.j2",
        **facts,
        **page_frame(),
        unset=find_unset(facts),
        adapter=Path(files["adapter"]).parent,
        model_card=model_card_out,
        trained_on=Answers.of(facts["plan"]).count_outputs(record["output"] for record in facts["balanced"]),
        sample=facts["all_data"][0],
        samples=find_samples(facts, source),
        suspects=read_table(files["suspects"]),
        curve=spread(facts["risk"]["test"]["curve"], SHOWN["points"]),
        settings=settings,
        plots={Path(path).stem: read_picture(path) for path in plots},
        seconds=read_timings(benchmarks),
        hashes={str(path): artifacts.sha256(path) for path in files.values()},
        transcripts=read_transcripts(transcripts),
    )
    artifacts.write_text(out, page)
    artifacts.write_text(model_card_out, render_model_card(facts))
    say(f"report: {out}")


def gather_facts(experiment: str, files: Mapping[str, str | Path], history: str | Path) -> dict[str, Any]:
    """The facts that the page and the model card share: every artifact by its name in FILES, and derived values."""
    contents = {
        word: artifacts.read(files[word], layout.ARTIFACTS[word].schema) for word in FILES if word in layout.ARTIFACTS
    }
    return {
        **contents,
        "experiment": experiment,
        "date": datetime.now(UTC).date().isoformat(),
        "meaning_of_labels": describe_labels(contents["task"]),
        "name_model": name_model,
        "metric_names": METRIC_NAMES,
        "readings": [
            (column["name"], sentence)
            for column in contents["profile"]["columns"]
            for sentence in [*describe_reading(column), *column["warnings"]]
        ],
        "rows_by_split": describe_splits(contents["splits_summary"]),
        "history": read_history(history),
        "versions": package_versions(),
        "interval_confidence": CONFIDENCE,
        "shown_metrics": task_of(contents["task"]).shown_metrics,
        "shown": SHOWN,
    }


def find_unset(facts: Mapping[str, Any]) -> list[str]:
    """The sections that are a line, since the settings behind them are unset."""
    audit = facts["audit"]
    has_something = {"costs": facts["costs"]["configured"], "audit": audit["requirements"] or audit["columns"]}
    return [section for section, is_set in has_something.items() if not is_set]


def page_frame() -> dict[str, Any]:
    """Style and script of the page with the hashes that allow them, the order of its sections, the words of methods."""
    style, script = (_static(name) for name in ("style.css", "open_for_print.js"))
    return {
        "contents": CONTENTS,
        "measure_names": MEASURE_NAMES,
        "set_names": METHOD_NAMES,
        "set_methods": SET_METHODS,
        "calibration_methods": CALIBRATION_METHODS,
        "style": style,
        "style_hash": _hash_of_inline(style),
        "script": script,
        "script_hash": _hash_of_inline(script),
    }


def _static(name: str) -> str:
    return (TEMPLATES / "render_report" / name).read_text(encoding="utf-8")


def _hash_of_inline(text: str) -> str:
    """What the page's Content-Security-Policy allows (base64 of the sha256): this text, and none from a cell."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Sample(TypedDict):
    """A test row that the page shows."""

    key: Key
    name: str
    label: str | None
    predicted: str
    probability: float
    prompt: str
    cells: NotRequired[dict[Hashable, Any]]
    """The row's cells by column, missing ones None."""


Samples = dict[str, list[Sample]]


def find_samples(facts: Mapping[str, Any], source: Source) -> Samples:
    """The selected samples with their cells."""
    names = [feature["name"] for feature in facts["plan"]["features"]]
    return add_cells(pick_samples(facts["calibrated_test"], facts["all_data"]), source, names)


def pick_samples(lines: Sequence[Prediction], records: Sequence[Record]) -> Samples:
    """Test rows to show, with prompts: correct and incorrect ones of the highest probability, and the least certain."""
    prompts = {(record.get("source", "csv"), record["row"]): record for record in records}
    ordered = sorted(lines, key=lambda line: -_highest(line))
    correct = [line for line in ordered if line["predicted"] == line["label"]]
    incorrect = [line for line in ordered if line["predicted"] != line["label"]]
    picked = {"correct": correct, "incorrect": incorrect, "unsure": ordered[::-1]}
    return {
        name: [_sample(line, prompts[line["source"], line["row"]]) for line in candidates[:_SAMPLES_SHOWN]]
        for name, candidates in picked.items()
    }


def _highest(line: Prediction) -> float:
    return float(max(line["probabilities"].values()))


def add_cells(samples: Samples, source: Source, names: list[str]) -> Samples:
    """The samples with their rows' cells in these columns, missing ones None: a prompt may consist of tokens only."""
    keys = [sample["key"] for picked in samples.values() for sample in picked]
    rows = iter(read_cells(source, keys)[names].to_dict("records"))
    return {name: [{**sample, "cells": next(rows)} for sample in picked] for name, picked in samples.items()}


def _sample(line: Prediction, record: Record) -> Sample:
    key = line["source"], line["row"]
    return {
        "key": key,
        "name": name_of(key),
        "label": line["label"],
        "predicted": line["predicted"],
        "probability": _highest(line),
        "prompt": f"{record['instruction']}\n{record['input']}",
    }


def spread(points: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the points, evenly spread, including the first and the last."""
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def read_table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV that the workflow wrote for a spreadsheet, with their original cells."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [{original(name): original(cell) for name, cell in line.items()} for line in csv.DictReader(file)]


def read_history(path: str | Path) -> list[dict[str, Any]]:
    """Who decided what and when, the earliest first; [] where no review was held."""
    path = Path(path)
    try:
        return read_json_lines(path) if path.is_file() else []
    except ParsingError as error:
        raise ArtifactError(f"{path} cannot be read ({error}): delete it.") from error


def read_transcripts(folder: str | Path) -> dict[str, list[Call | Refusal]]:
    """A model's requests and answers by step, in the order of the steps; {} where no model was used."""
    paths = sorted(Path(folder).glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    lines_by_step = {path.stem: artifacts.read(path, schemas.TRANSCRIPT) for path in paths}
    return {step: lines for step, lines in lines_by_step.items() if lines}


class Picture(TypedDict):
    """A picture inside the page, and its natural size in CSS pixels."""

    address: str
    width: int
    height: int


def read_picture(path: str | Path) -> Picture:
    """An SVG whose size is in points, as matplotlib writes it."""
    drawing = Path(path).read_bytes()
    width, height = re.findall(rb'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', drawing)[0]
    return {
        "address": f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}",
        "width": round(float(width) * 4 / 3),
        "height": round(float(height) * 4 / 3),
    }
