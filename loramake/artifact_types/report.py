"""evaluation/results.json."""

from typing import Literal, TypedDict

from loramake.artifact_types.evaluation import Verdict
from loramake.artifact_types.explore import Splits
from loramake.artifact_types.shared import MadeBy

TrustFile = Literal["calibration_measures", "conformal", "risk", "costs", "audit", "label_noise", "robustness"]
"""Artifacts of the trust stage that summarize their result in a sentence."""


class PredictionChecks(TypedDict):
    """What was checked of the test predictions."""

    test_rows: int
    largest_deviation_of_a_probability_sum: float


class Results(TypedDict):
    """evaluation/results.json."""

    experiment: str
    target: str
    task_type: str
    labels: list[str]
    rows: dict[str, int]
    splits: Splits
    model: str
    made_by: MadeBy
    verdict: Verdict
    test: dict[str, dict[str, float | None]]
    trust: dict[TrustFile, str]
    checks: PredictionChecks
    versions: dict[str, str]
    seconds: dict[str, float]
    artifacts: dict[str, str]
