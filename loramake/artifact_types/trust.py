"""The artifacts of trust/: calibration, conformal sets, abstention, costs, groups, label noise, robustness."""

from typing import Literal, TypedDict

from loramake.artifact_types.shared import Estimate, Outcome

CalibrationMethod = Literal["temperature", "isotonic", "none"]


class IsotonicLine(TypedDict):
    """A rising line from probability to calibrated probability of one label."""

    label: str
    x: list[float]
    y: list[float]


class CalibratorRows(TypedDict):
    """Calibration rows by their use."""

    fitted: int
    held_out: int


class Calibrator(TypedDict):
    """trust/calibrator.json."""

    requested: CalibrationMethod
    method: CalibrationMethod
    note: str | None
    temperature: float | None
    isotonic: list[IsotonicLine] | None
    labels: list[str]
    rows: CalibratorRows
    sentence: str


CalibrationMeasure = Literal[
    "ece",
    "adaptive_ece",
    "mce",
    "classwise_ece",
    "brier",
    "brier_reliability",
    "brier_resolution",
    "brier_uncertainty",
    "log_loss",
]


class ReliabilityBin(TypedDict):
    """A bin over the probability of the predicted label."""

    low: float
    high: float
    rows: int
    mean_confidence: float | None
    accuracy: float | None


class MeasuredCalibration(TypedDict):
    """How well probabilities are calibrated."""

    measures: dict[CalibrationMeasure, Estimate]
    ece_if_calibrated: Estimate
    reliability: list[ReliabilityBin]


class CalibrationMeasures(TypedDict):
    """trust/calibration_measures.json."""

    rows: int
    method: CalibrationMethod
    bins: int
    confidence: float
    resamples: int
    before: MeasuredCalibration
    after: MeasuredCalibration
    sentence: str


ConformalMethod = Literal["lac", "aps", "raps", "class_conditional"]


class RapsConstants(TypedDict):
    """Constants of RAPS."""

    penalty: float
    free_labels: int


class ClassQuantile(TypedDict):
    """The calibration rows of one label."""

    label: str
    rows: int
    quantile: float | None
    guarantee: float | None


class ExpectedCoverage(TypedDict):
    """The interval that contains the coverage 19 times in 20."""

    low: float | None
    high: float | None


class SetSize(TypedDict):
    """How many sets have this many labels."""

    size: int
    rows: int


class ClassCoverage(TypedDict):
    """The test rows of one label."""

    label: str
    rows: int
    coverage: Estimate
    mean_set_size: float | None


class SetsOnTest(TypedDict):
    """The sets at the configured confidence on the test split."""

    rows: int
    coverage: Estimate
    expected: ExpectedCoverage
    mean_set_size: float | None
    empty_sets: float | None
    full_sets: float | None
    sizes: list[SetSize]
    by_class: list[ClassCoverage]


class ConformalLevel(TypedDict):
    """The sets at another confidence."""

    conformal_confidence: float
    guarantee: float
    coverage: Estimate
    expected: ExpectedCoverage
    mean_set_size: float | None


class WorstClass(TypedDict):
    """The label whose test rows have the lowest coverage."""

    label: str
    rows: int
    coverage: Estimate


class ComparedMethod(TypedDict):
    """Another method at the configured confidence."""

    method: ConformalMethod
    coverage: Estimate
    mean_set_size: float | None
    worst_class: WorstClass | None


class FittedSets(TypedDict):
    """What determines prediction sets."""

    labels: list[str]
    method: ConformalMethod
    conformal_confidence: float
    raps: RapsConstants | None
    rows: int
    rows_needed: int
    quantile: float | None
    guarantee: float
    by_class: list[ClassQuantile]


class MeasuredSets(FittedSets):
    """The sets, and how they perform on the test split."""

    test: SetsOnTest
    levels: list[ConformalLevel]
    methods: list[ComparedMethod]


class Conformal(MeasuredSets):
    """trust/conformal.json."""

    notes: list[str]
    sentence: str


class AnsweredRows(TypedDict):
    """Rows that are answered, and how many of these are wrong."""

    answered: int
    wrong: int


class AnsweredCalibrationRows(AnsweredRows):
    """The same of the calibration rows, with the bound that is tested."""

    wrong_at_most: float | None


class AnsweredTestRows(AnsweredRows):
    """The same of the test split, with shares."""

    coverage: float | None
    selective_error: Estimate


class MeasuredLevel(TypedDict):
    """The result of one value of max_selective_error, in numbers."""

    max_selective_error: float
    selective_error_confidence: float
    achievable: bool
    threshold: float | None
    rows_needed: int
    calibration: AnsweredCalibrationRows
    test: AnsweredTestRows


class RiskLevel(MeasuredLevel):
    """The result of one value of max_selective_error."""

    sentence: str


class AccuracyAtCoverage(TypedDict):
    """The accuracy of the rows of the highest probability."""

    coverage: float
    accuracy: Estimate


class CurvePoint(TypedDict):
    """A point of the risk–coverage curve."""

    threshold: float
    coverage: float
    error: float
    low: float
    high: float


class RankingMeasures(TypedDict):
    """How well the probability of the most probable label ranks the test rows, in numbers."""

    error: Estimate
    aurc: Estimate
    excess_aurc: Estimate
    accuracy_at_coverage: list[AccuracyAtCoverage]


class Ranking(RankingMeasures):
    """How well the probability of the most probable label ranks the test rows."""

    curve: list[CurvePoint]


class RiskRows(TypedDict):
    """Rows by split."""

    calibration: int
    test: int


class Risk(TypedDict):
    """trust/risk.json."""

    rows: RiskRows
    selective_error_confidence: float
    interval_confidence: float
    resamples: int
    decided_by: Literal["probability", "cost"]
    chosen: RiskLevel | None
    levels: list[RiskLevel]
    levels_sentence: str
    test: Ranking
    sentence: str


class Policy(TypedDict):
    """What one policy costs."""

    per_row: Estimate
    total: float
    decisions: dict[str, int]
    abstentions: int


class CostDifference(Estimate):
    """Cost per row of loramake minus that of the cheapest baseline."""

    baseline: str | None
    outcome: Outcome | None


class CostsOnTest(TypedDict):
    """Policies on the test split."""

    rows: int
    loramake: Policy
    without_max_selective_error: Policy | None
    most_probable: Policy
    constant: Policy | None
    baselines: dict[str, Policy]
    perfect: Policy
    difference: CostDifference


class CostMatrix(TypedDict):
    """What decisions cost; all None or empty where no costs are set."""

    configured: bool
    labels: list[str]
    matrix: list[list[float]] | None
    abstain_cost: float | None


class Costs(CostMatrix):
    """trust/costs.json."""

    confidence: float
    resamples: int
    test: CostsOnTest | None
    sentence: str


GroupMeasure = Literal[
    "accuracy", "selection_rate", "tpr", "fpr", "ece", "log_loss", "coverage", "mean_set_size", "abstention"
]


Rate = Literal["selection_rate", "tpr", "fpr"]


class LabelRates(TypedDict):
    """One-vs-rest rates of a label."""

    label: str
    rows: int
    selection_rate: Estimate
    tpr: Estimate
    fpr: Estimate


class GroupMeasures(TypedDict):
    """Measures of a group of test rows."""

    rows: int
    accuracy: Estimate
    selection_rate: Estimate
    tpr: Estimate
    fpr: Estimate
    ece: Estimate
    log_loss: Estimate
    coverage: Estimate
    mean_set_size: Estimate
    abstention: Estimate
    by_label: list[LabelRates]


GroupKind = Literal["value", "range", "words", "other", "missing"]


class AuditedGroup(GroupMeasures):
    """One group of an audit column."""

    name: str
    kind: GroupKind
    small: bool


class Spread(Estimate):
    """How much the groups of a column differ."""

    lowest: str | None
    highest: str | None
    label: str | None


class Spreads(TypedDict):
    """Largest minus smallest, and smallest over largest (None unless the measure is a share)."""

    difference: Spread
    ratio: Spread | None


ColumnKind = Literal["numeric", "categorical"]


class MeasuredColumn(TypedDict):
    """One audit column, in numbers."""

    name: str
    kind: ColumnKind
    groups: list[AuditedGroup]
    differences: dict[GroupMeasure, Spreads]
    too_small: list[str]


class AuditedColumn(MeasuredColumn):
    """One audit column."""

    sentence: str


class JudgedRequirement(Estimate):
    """A requirement of config.yaml, and whether it is met."""

    name: str
    limit: float
    passed: bool
    certain: bool | None
    of: str
    sentence: str


class RequirementCounts(TypedDict):
    """How many requirements are met."""

    passed: int
    failed: int


class Audit(TypedDict):
    """trust/audit.json."""

    rows: int
    rates_of: list[str]
    min_rows: int
    resamples: int
    confidence: float
    overall: GroupMeasures
    columns: list[AuditedColumn]
    groups_sentence: str
    requirements: list[JudgedRequirement]
    summary: RequirementCounts
    sentence: str


class LabelNoise(TypedDict):
    """trust/label_noise.json."""

    rows: int
    suspects: int | None
    sentence: str


class Unchanged(TypedDict):
    """Measures of the unchanged rows."""

    roc_auc: float | None
    log_loss: float | None


VariantName = Literal["columns reordered", "columns renamed", "numbers rounded"]


class Changes(TypedDict):
    """How predictions change when the same rows are perturbed."""

    changed_decisions: float | None
    mean_change: float | None
    roc_auc_change: float | None
    log_loss_change: float | None


class Variant(Changes):
    """One perturbation of the rows."""

    name: VariantName
    rows: int
    roc_auc: float | None
    note: str | None


class LogLossIncrease(TypedDict):
    """In nats per row, with its interval."""

    value: float
    low: float | None
    high: float | None


class Importance(TypedDict):
    """How much worse predictions are when a feature is missing in all rows."""

    feature: str
    log_loss_increase: LogLossIncrease
    roc_auc_change: float | None
    changed_decisions: float | None
    mean_change: float | None
    missing_in_training: float | None


class MeasuredRobustness(TypedDict):
    """All measurements."""

    rows: int
    test_rows: int
    confidence: float
    resamples: int
    as_it_is: Unchanged
    variants: list[Variant]
    importance: list[Importance]


class Robustness(MeasuredRobustness):
    """trust/robustness.json."""

    notes: list[str]
    sentence: str
