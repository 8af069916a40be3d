"""What a calibrator fitted on few rows costs a model that is calibrated, and saves one that is not.

    python benchmarks/calibration.py              # some minutes: 400 synthetic splits for each line

Two labels; the truth is drawn from a model's probabilities, which are then made too sure by a temperature (1: they are
calibrated already). A calibrator is fitted on so many rows and tried on 5,000 others. `saved` is the mean fall of their
log loss in nats a row, below 0 a rise: of the bare fit, and as the workflow does it, which passes it over where the
rows do not do (`used` is the share of splits in which they do).
"""

import argparse

import numpy as np
from scipy.special import expit, logit

from loramake.arrays import Floats
from loramake.evaluation.losses import row_losses
from loramake.prediction.predictions import Scored
from loramake.trust.calibration import apply_calibrator, fit_calibrator, fit_isotonic, fit_temperature

LABELS = ["no", "yes"]
SPREADS = {"90% right": 4.2, "75% right": 1.6}
"""Standard deviation of the log odds, by the accuracy that follows from it."""
TESTED = 5000


def draw(rows: int, spread: float, temperature: float, seed: int) -> Scored:
    """Rows whose truth follows the odds, and probabilities that are too sure of it by the temperature."""
    generator = np.random.default_rng(seed)
    positive = expit(spread * generator.normal(size=rows))
    truth = (generator.random(rows) < positive).astype(np.int64)
    said = expit(temperature * logit(positive))
    return Scored([("csv", row) for row in range(rows)], truth, np.column_stack([1 - said, said]))


def bare(method: str, rows: Scored) -> dict[str, object]:
    """A calibrator whatever the rows."""
    _, truth, probabilities = rows
    fitted = fit_temperature(truth, probabilities) if method == "temperature" else None
    lines = fit_isotonic(truth, probabilities, LABELS) if method == "isotonic" else None
    return {"method": method, "labels": LABELS, "temperature": fitted, "isotonic": lines}


def saved(calibrator: dict[str, object], tried: Scored) -> float:
    def loss(probabilities: Floats) -> float:
        return float(row_losses(tried.truth, probabilities).mean())

    return loss(tried.probabilities) - loss(apply_calibrator(calibrator, tried.probabilities))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=400)
    options = parser.parse_args()
    print(
        f"{'method':<12} {'model':<10} {'too sure by':>11} {'rows':>5} {'saved, bare':>12} {'as built':>9} {'used':>6}"
    )
    for method, sizes in (("temperature", (10, 20, 40, 100)), ("isotonic", (50, 100, 200, 500))):
        for name, spread in SPREADS.items():
            for temperature in (1.0, 2.5):
                for rows in sizes:
                    gains = []
                    for seed in range(options.splits):
                        seen = draw(rows, spread, temperature, seed)
                        tried = draw(TESTED, spread, temperature, 10_000 + seed)
                        built = fit_calibrator(seen, LABELS, method)
                        gains.append((saved(bare(method, seen), tried), saved(built, tried), built["method"] == method))
                    always, as_built, used = np.mean(gains, axis=0)
                    case = f"{method:<12} {name:<10} {temperature:>11} {rows:>5}"
                    print(f"{case} {always:>12.3f} {as_built:>9.3f} {used:>6.0%}", flush=True)


if __name__ == "__main__":
    main()
