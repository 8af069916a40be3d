"""How often the intervals of calibration errors contain the true error, and how wide they are.

    python benchmarks/intervals.py                # a quarter of an hour: 300 synthetic splits for each line

The truth is drawn from a model's probabilities, which are then made too sure by a temperature (1: they are calibrated,
and the true error is 0). The true error of the others is that of 400,000 rows. `percentiles` are what bootstrap
resamples alone give, `now` what loramake reports; `outside` is the share of splits whose percentiles exclude even the
measured value. Nominal is 95%.
"""

import argparse

import numpy as np
from scipy.special import softmax

from loramake.arrays import Codes, Floats
from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import CalibrationMeasure
from loramake.evaluation.intervals import CONFIDENCE, draw_counts
from loramake.trust.calibration_errors import compute_measures
from loramake.trust.calibration_measures import evaluate

MEASURES: tuple[CalibrationMeasure, ...] = (
    *("ece", "adaptive_ece", "mce", "classwise_ece", "brier"),
    *("brier_reliability", "brier_resolution", "brier_uncertainty"),
)
ERRORS = ("ece", "adaptive_ece", "mce", "classwise_ece", "brier_reliability")
"""Zero where the probabilities are calibrated."""
ROWS = (70, 200, 1000)
TEMPERATURES = (1.0, 1.5, 3.0)
MANY = 400_000


def draw(rows: int, labels: int, temperature: float, seed: int) -> tuple[Codes, Floats]:
    """True labels, and the probabilities of a model that is too sure by the temperature."""
    generator = np.random.default_rng(seed)
    scores = 2 * generator.normal(size=(rows, labels))
    truth = (softmax(scores, axis=1).cumsum(axis=1) > generator.random((rows, 1))).argmax(axis=1)
    return truth, softmax(temperature * scores, axis=1)


def find_true(labels: int, temperature: float) -> dict[CalibrationMeasure, float]:
    truth, probabilities = draw(MANY, labels, temperature, seed=10**6)
    values = compute_measures(truth, probabilities, np.ones((1, MANY)))
    calibrated = ERRORS if temperature == 1 else ()
    exact = {**dict.fromkeys(calibrated, 0.0), "brier_uncertainty": 1 - 1 / labels}
    return {name: exact.get(name, float(values[name][0])) for name in MEASURES}


def percentiles(truth: Codes, probabilities: Floats, seed: int) -> dict[CalibrationMeasure, Floats]:
    """The ends of the percentile interval of each measure, shape (2,)."""
    parts = [compute_measures(truth, probabilities, counts) for counts in draw_counts(len(truth), seed)]
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    return {name: np.quantile(np.concatenate([part[name] for part in parts]), tails) for name in MEASURES}


def tried(true: float, now: Estimate, low: float, high: float) -> list[float]:
    """Whether the percentiles contain the true value, their width, whether they exclude the value; the same now."""
    value, now_low, now_high = (float(now[key] or 0) for key in ("value", "low", "high"))
    return [low <= true <= high, high - low, not low <= value <= high, now_low <= true <= now_high, now_high - now_low]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=300)
    options = parser.parse_args()
    print("| labels | too sure by | rows | measure | true | percentiles | width | outside | now | width |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for labels in (2, 4):
        for temperature in TEMPERATURES:
            true = find_true(labels, temperature)
            for rows in ROWS:
                results: dict[str, list[list[float]]] = {name: [] for name in MEASURES}
                for seed in range(options.splits):
                    truth, probabilities = draw(rows, labels, temperature, seed)
                    (now,), old = evaluate(truth, [probabilities], seed), percentiles(truth, probabilities, seed)
                    for name in MEASURES:
                        results[name].append(tried(true[name], now["measures"][name], *old[name]))
                for name in MEASURES:
                    covered, width, outside, now_covered, now_width = np.mean(results[name], axis=0)
                    print(
                        f"| {labels} | {temperature} | {rows:,} | {name} | {true[name]:.4f} | {covered:.1%} | "
                        f"{width:.3f} | {outside:.1%} | {now_covered:.1%} | {now_width:.3f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
