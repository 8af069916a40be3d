"""What loramake's probabilities are worth: calibration, sets, abstention, costs and groups, through the whole workflow.

    python benchmarks/trust.py --keep /tmp/trust          # heart, titanic, penguins and an imbalanced synthetic table

One seed, models/tiny, every setting at its default but max_selective_error, which is 0.1, and each set's costs, groups
and requirements (SETTINGS below). Prints a table for each of: calibration before and after, prediction sets by method,
abstention, cost against the alternatives, groups, requirements. All figures are those of the experiments' own artifacts
(results/NAME/trust/*.json), on test rows, with 95% intervals in brackets. With --keep the folders stay, and a second
call runs what is not there.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from quality import SETS
from running import make_workplace, markdown, names_of, read_json, snakemake, three

SETTINGS: dict[str, dict[str, Any]] = {
    "heart": {
        "audit_columns": ["Sex", "Age"],
        "costs": {"0": {"0": 0, "1": 1}, "1": {"0": 5, "1": 0}},
        "abstain_cost": 0.5,
        "requirements": {"min_accuracy": 0.8, "max_ece": 0.1, "min_coverage": 0.85, "min_selection_rate_ratio": 0.8},
    },
    "titanic": {
        "audit_columns": ["sex", "age", "pclass"],
        "costs": {"0": {"0": 0, "1": 1}, "1": {"0": 2, "1": 0}},
        "abstain_cost": 0.4,
        "requirements": {"min_accuracy": 0.75, "max_tpr_difference": 0.2, "max_coverage_difference": 0.15},
    },
    "penguins": {
        "audit_columns": ["island", "body_mass_g"],
        "costs": {
            "Adelie": {"Adelie": 0, "Chinstrap": 1, "Gentoo": 2},
            "Chinstrap": {"Adelie": 1, "Chinstrap": 0, "Gentoo": 2},
            "Gentoo": {"Adelie": 2, "Chinstrap": 2, "Gentoo": 0},
        },
        "abstain_cost": 0.3,
        "requirements": {"min_accuracy": 0.95, "max_set_size": 1.2},
    },
    "imbalanced": {
        "audit_columns": ["route"],
        "costs": {"in time": {"in time": 0, "late": 1}, "late": {"in time": 15, "late": 0}},
        "abstain_cost": 0.6,
        "requirements": {"min_balanced_accuracy": 0.7, "max_cost_per_row": 0.5},
    },
}
"""What is asked of each set beside the defaults; costs and requirements are made up, to have something to decide by."""
ASKED = {"max_selective_error": 0.1}


def estimate(measured: dict[str, Any]) -> str:
    if measured["low"] is None:
        return three(measured["value"])
    return f"{three(measured['value'])} ({three(measured['low'])} to {three(measured['high'])})"


def calibration(name: str, trust: Path) -> list[list[str]]:
    result, fitted = read_json(trust / "calibration_measures.json"), read_json(trust / "calibrator.json")
    temperature = fitted["temperature"]
    method = fitted["method"] if temperature is None else f"temperature {temperature:.2f}"
    shown = ("ece", "adaptive_ece", "mce", "classwise_ece", "brier", "log_loss")
    return [
        [name, when, method, *(estimate(result[when]["measures"][measure]) for measure in shown)]
        for when in ("before", "after")
    ]


def conformal(name: str, trust: Path) -> list[list[str]]:
    result = read_json(trust / "conformal.json")
    rows = []
    for each in result["methods"]:
        worst = each["worst_class"]
        lowest = "–" if worst is None else f"{worst['label']}: {estimate(worst['coverage'])}"
        rows.append([name, each["method"], estimate(each["coverage"]), three(each["mean_set_size"]), lowest])
    return rows


def abstention(name: str, trust: Path) -> list[list[str]]:
    result = read_json(trust / "risk.json")
    at = {row["coverage"]: estimate(row["accuracy"]) for row in result["test"]["accuracy_at_coverage"]}
    chosen = result["chosen"]
    answered = "not achievable" if not chosen["achievable"] else three(chosen["test"]["coverage"])
    wrong = estimate(chosen["test"]["selective_error"])
    return [[name, estimate(result["test"]["error"]), answered, wrong, estimate(result["test"]["aurc"]), *at.values()]]


def costs(name: str, trust: Path) -> list[list[str]]:
    result = read_json(trust / "costs.json")["test"]
    ways = {
        way: result[way] for way in ("loramake", "without_max_selective_error", "most_probable", "constant", "perfect")
    } | result["baselines"]
    return [
        [name, way.replace("_", " "), estimate(each["per_row"]), str(each["abstentions"])] for way, each in ways.items()
    ]


def groups(name: str, trust: Path) -> list[list[str]]:
    rows = []
    for column in read_json(trust / "audit.json")["columns"]:
        differences = column["differences"]
        shown = [estimate(differences[measure]["difference"]) for measure in ("accuracy", "tpr", "fpr", "coverage")]
        rows.append([name, column["name"], estimate(differences["selection_rate"]["ratio"]), *shown])
    return rows


def requirements(name: str, trust: Path) -> list[list[str]]:
    return [
        [name, each["name"], f"{each['limit']:g}", estimate(each), "met" if each["passed"] else "not met"]
        for each in read_json(trust / "audit.json")["requirements"]
    ]


TABLES = {
    "Calibration": (
        calibration,
        ("set", "", "method", "ECE", "adaptive ECE", "MCE", "classwise ECE", "Brier", "log loss"),
    ),
    "Prediction sets, 90% asked": (conformal, ("set", "method", "coverage", "labels a set", "lowest of a label")),
    "Abstention, 10% wrong at most with 90% confidence": (
        abstention,
        ("set", "wrong of all", "answered", "wrong of these", "AURC", "accuracy at 70%", "at 80%", "at 90%"),
    ),
    "Cost of a row": (costs, ("set", "decided by", "cost", "rows asked about")),
    "Groups: smallest by largest selection rate, and largest differences": (
        groups,
        ("set", "column", "selection rate ratio", "accuracy", "TPR", "FPR", "coverage"),
    ),
    "Requirements": (requirements, ("set", "requirement", "", "measured", "")),
}


def run(name: str, folder: Path) -> Path:
    """The folder trust/ of a finished run; SystemExit with the sentence that the workflow failed with."""
    target, make = SETS[name]
    make_workplace(folder, name, make(), {"target": target, **ASKED, **SETTINGS[name]})
    failed = snakemake(folder, f"results/{name}/evaluation/results.json")
    if failed:
        sys.exit(f"{folder}: {failed}")
    return folder / f"results/{name}/trust"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=names_of(SETTINGS), default=list(SETTINGS), help="names, separated by commas")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to work, and leave everything for next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trust-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        result = {}
        for name in options.sets:
            result[name] = run(name, folder / name)
            print(f"{name} is done", file=sys.stderr, flush=True)
        for title, (rows_of, header) in TABLES.items():
            rows = [row for name, trust in result.items() for row in rows_of(name, trust)]
            print(f"\n**{title}**\n\n{markdown(header, rows)}")


if __name__ == "__main__":
    main()
