"""Balancing is undone in the probabilities, exactly."""

import numpy as np
import pytest

from loramake.errors import ArtifactError
from loramake.tasks.label_shift import count_labels, describe_shift, find_log_ratios

LABELS = ("common", "rare", "rarest")
FREQUENCIES = np.array([0.8, 0.15, 0.05])


def records(counts: dict[str, int]) -> list[dict[str, object]]:
    return [{"output": label, "row": row, "source": "csv"} for label, rows in counts.items() for row in range(rows)]


@pytest.mark.parametrize("balanced", [{"common": 800, "rare": 800, "rarest": 800}, dict.fromkeys(LABELS, 50)])
def test_the_posterior_of_balanced_rows_becomes_that_of_all_rows(balanced: dict[str, int]) -> None:
    """Both posteriors are known: of each label the cells 0 to 4 have these probabilities."""
    cells = np.random.default_rng(0).dirichlet(np.ones(5), size=3)
    train = {label: round(1000 * share) for label, share in zip(LABELS, FREQUENCIES, strict=True)}
    ratios = find_log_ratios(count_labels(records(train), records(balanced)))

    def posterior(frequencies: np.ndarray) -> np.ndarray:
        joint = cells * frequencies[:, None]
        return joint / joint.sum(axis=0)

    learned = posterior(np.full(3, 1 / 3))
    corrected = np.exp(np.log(learned) + np.array([ratios[label] for label in LABELS])[:, None])
    assert corrected / corrected.sum(axis=0) == pytest.approx(posterior(FREQUENCIES), rel=1e-12)
    assert np.abs(learned - posterior(FREQUENCIES)).max() > 0.2


def test_what_is_not_balanced_is_not_corrected() -> None:
    counts = {"common": 90, "rare": 10}
    assert find_log_ratios(count_labels(records(counts), records(counts))) == {}
    assert describe_shift(counts, counts) is None


def test_other_answers_after_balancing_than_before_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"label_shift.json has other answers before balancing than after it"):
        find_log_ratios({"train": {"a": 1, "b": 2}, "balanced": {"a": 3, "c": 1}})


def test_the_review_says_what_balancing_does_to_probabilities() -> None:
    assert describe_shift({"no": 95, "yes": 5}, {"no": 95, "yes": 95}) == (
        "yes has 5.0% of the training rows and 50.0% after balancing; probabilities are corrected back to the "
        "frequencies before it."
    )
