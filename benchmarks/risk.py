"""How often an abstention threshold breaks its promise, over many random calibration splits, and what it answers.

    python benchmarks/risk.py                         # some minutes: the tables that docs and issues quote
    python benchmarks/risk.py --splits 200 --tries 50 # to see that it runs

The second table is of whole calibration splits, as the workflow takes them: a temperature is fitted on one half, where
that half allows it, and the threshold on the other.

`broken` is the share of splits whose threshold has a true selective error over max_selective_error: it may be 10%, δ,
at most. `found` is the share of splits that have a threshold at all, `answered` the mean true share of rows that it
answers.

Of the populations in the table, the first two are as the proof in loramake/trust/risk.py wants them, surer answers
wrong less often; the third is not. The search draws populations of two to four layers of certainty, each with its own
error rate, mostly with surer layers that are wrong more often than others, and shows those whose promise is broken most
often, measured anew on splits of their own.
"""

import argparse

import numpy as np
from scipy.special import expit, logit

from loramake.prediction.predictions import Scored
from loramake.trust.calibration import apply_calibrator, fit_on_half
from loramake.trust.risk import rank
from loramake.trust.selective import find_threshold, rows_needed

CONFIDENCE = 0.9
ANEW = 100
"""Times as many splits for what a search shows as while it looks."""


class Population:
    """Rows by falling probability of the most probable label, and the probability that it is wrong."""

    def __init__(self, top_probability: np.ndarray, error: np.ndarray) -> None:
        order = np.argsort(-top_probability, kind="stable")
        self.top_probability, self.error = top_probability[order], error[order]
        self._share_wrong = np.cumsum(self.error) / np.arange(1, len(order) + 1)

    def answers(self, threshold: float) -> tuple[float, float]:
        """True share of rows answered, and the share of these that is wrong."""
        answered = int(np.searchsorted(-self.top_probability, -threshold, side="right"))
        return answered / len(self.top_probability), float(self._share_wrong[answered - 1]) if answered else 0.0


def calibrated(spread: float, size: int = 100_000) -> Population:
    """Two labels; the smaller `spread`, the surer the model is."""
    positive = np.random.default_rng(0).beta(spread, spread, size)
    top_probability = np.maximum(positive, 1 - positive)
    return Population(top_probability, 1 - top_probability)


def one_digit(spread: float) -> Population:
    """The same with few distinct probabilities, as isotonic regression may leave."""
    population = calibrated(spread)
    return Population(population.top_probability.round(1), population.error)


def falsely_sure(spread: float) -> Population:
    """The same, but one row in twenty has the highest top_probability for no reason."""
    population = calibrated(spread)
    top_probability = population.top_probability.copy()
    top_probability[::20] = 1.0
    return Population(top_probability, population.error)


def layered(weights: np.ndarray, errors: np.ndarray, size: int = 100_000) -> Population:
    """Layers of falling top_probability, which is between 1 and 1/2."""
    positions = np.linspace(0, 1, size)
    layer = np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1)
    return Population(1 - positions / 2, errors[layer])


def promise(
    population: Population, rows: int, max_selective_error: float, splits: int, seed: int, calibrate: bool = False
) -> tuple[float, float, float]:
    """Shares of splits that break the promise and that have a threshold, and the mean share of rows answered."""
    generator = np.random.default_rng(seed)
    broken, with_threshold, covered = 0, 0, 0.0
    for _ in range(splits):
        drawn = generator.integers(len(population.top_probability), size=rows)
        one = scored(population, drawn, generator)
        threshold = (
            calibrated_threshold(one, max_selective_error)
            if calibrate
            else find_threshold(rank(one), max_selective_error, CONFIDENCE)
        )
        if threshold is not None:
            answered, error = population.answers(threshold)
            broken += error > max_selective_error
            with_threshold += 1
            covered += answered
    return broken / splits, with_threshold / splits, covered / splits


def calibrated_threshold(split: Scored, max_selective_error: float) -> float | None:
    """The threshold that a calibration split gives, taken back to the probabilities as they were predicted."""
    calibrator, left = fit_on_half(split, ["first", "second"], "temperature", seed=0)
    calibrated = left._replace(probabilities=apply_calibrator(calibrator, left.probabilities))
    threshold = find_threshold(rank(calibrated), max_selective_error, CONFIDENCE)
    if threshold is None or calibrator["temperature"] is None or not 0 < threshold < 1:
        return threshold
    return float(expit(calibrator["temperature"] * logit(threshold)))


def scored(population: Population, drawn: np.ndarray, generator: np.random.Generator) -> Scored:
    """Predictions of two labels, the first the most probable."""
    top_probability = population.top_probability[drawn]
    truth = (generator.random(len(drawn)) < population.error[drawn]).astype(np.int64)
    return Scored(
        [("csv", row) for row in range(len(drawn))], truth, np.column_stack([top_probability, 1 - top_probability])
    )


def show_populations(splits: int, calibrate: bool) -> None:
    """One of the two tables."""
    kinds = {"calibrated": calibrated, "one digit": one_digit, "falsely sure": falsely_sure}
    print(
        f"\n{splits} splits each, confidence {CONFIDENCE:.0%}, {'calibrated on one half' if calibrate else 'all rows'}"
    )
    heads = ("max_selective_error", f"{'rows':>5}", f"{'broken':>7}", f"{'found':>6}", f"{'answered':>8}")
    print(f"{'population':<14} {'wrong':>6}", *heads)
    for name, make in kinds.items():
        for spread in (0.15, 0.5):
            population = make(spread)
            for max_selective_error in (0.02, 0.05, 0.1):
                for rows in (60, 78, 158, 400, 1000):
                    if rows < rows_needed(max_selective_error, CONFIDENCE) * (1 + calibrate):
                        continue
                    broken, with_threshold, answered = promise(
                        population, rows, max_selective_error, splits, rows, calibrate
                    )
                    overall = population.error.mean()
                    case = f"{name:<14} {overall:>6.1%} {max_selective_error:>19} {rows:>5}"
                    print(f"{case} {broken:>7.1%} {with_threshold:>6.0%} {answered:>8.0%}", flush=True)


def search(tries: int, splits: int, shown: int = 8) -> None:
    """The layered populations, of so many, that break the promise most often."""
    generator = np.random.default_rng(1)
    populations = []
    for _ in range(tries):
        max_selective_error = float(generator.choice([0.05, 0.1, 0.2]))
        rows = int(generator.choice([1.3, 2, 4]) * rows_needed(max_selective_error, CONFIDENCE))
        layers = int(generator.choice([2, 3, 4]))
        weights = generator.dirichlet(np.full(layers, 0.7))
        errors = generator.beta(0.5, 2, layers) * generator.choice([0.5, 1.0])
        broken = promise(layered(weights, errors), rows, max_selective_error, splits, seed=2)[0]
        populations.append((broken, max_selective_error, rows, weights, errors))
    populations.sort(key=lambda entry: -entry[0])
    print(f"\n{tries} populations in layers, {splits} splits each; the worst, on {ANEW * splits:,} others")
    for _, max_selective_error, rows, weights, errors in populations[:shown]:
        broken = promise(layered(weights, errors), rows, max_selective_error, ANEW * splits, seed=3)[0]
        layers = f"weights {weights.round(3)}  wrong {errors.round(3)}"
        print(f"broken {broken:.2%}  max_selective_error {max_selective_error}  rows {rows}  {layers}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=2000)
    parser.add_argument("--tries", type=int, default=1500)
    options = parser.parse_args()
    for calibrate in (False, True):
        show_populations(options.splits, calibrate)
    search(options.tries, max(1, options.splits // 4))


if __name__ == "__main__":
    main()
