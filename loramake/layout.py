"""Where each artifact lies below results/{experiment}, and what it contains; rules spell out their own paths.

This is the only table of them: code that reads an artifact, or names its path, takes it from here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from loramake import schemas
from loramake.schemas import Content, Schema


@dataclass(frozen=True)
class File:
    """A file of an experiment that has no schema."""

    path: str
    """Below results/{experiment}."""

    def within(self, folder: str | Path) -> Path:
        """Its path in the folder of an experiment."""
        return Path(folder) / self.path


@dataclass(frozen=True)
class Artifact(File, Generic[Content]):
    """A file of an experiment whose content a schema describes."""

    schema: Schema[Content]


PROFILE = Artifact("profile.json", schemas.PROFILE)
TASK = Artifact("task.json", schemas.TASK)
SPLITS = File("splits.csv")
SPLITS_SUMMARY = Artifact("splits.json", schemas.SPLITS)
UNUSABLE_COLUMNS = Artifact("unusable_columns.json", schemas.UNUSABLE_COLUMNS)

SELECTED_FEATURES = Artifact("feature_selection/selected_features.json", schemas.SELECTED_FEATURES)
FEATURE_RANKINGS = File("feature_selection/feature_rankings.csv")
FEATURE_RANKINGS_PLOT = File("feature_selection/feature_rankings.svg")
PLAN = Artifact("plan.yaml", schemas.PLAN)
PREP_SCRIPT = File("scripts/prepare_data.py")
ALL_DATA = Artifact("data/all_data.json", schemas.RECORDS)
PREP_STATE = Artifact("data/prep_state.json", schemas.PREP_STATE)
VERIFICATION = Artifact("data/verification.json", schemas.VERIFICATION)
DATA_REVIEW = Artifact("review/data.json", schemas.REVIEW)

TRAIN = Artifact("data/train.json", schemas.RECORDS)
VALIDATION = Artifact("data/validation.json", schemas.RECORDS)
CALIBRATION = Artifact("data/calibration.json", schemas.RECORDS)
TEST = Artifact("data/test.json", schemas.RECORDS)
BALANCE_SCRIPT = File("scripts/balance_data.py")
BALANCED = Artifact("data/balanced_data.json", schemas.RECORDS)
LABEL_SHIFT = Artifact("data/label_shift.json", schemas.LABEL_SHIFT)
BALANCE_REVIEW = Artifact("review/balance.json", schemas.REVIEW)

TRAIN_CONFIG = Artifact("configs/train.yaml", schemas.LMF_CONFIG)
PREDICT_TRAIN_CONFIG = Artifact("configs/predict_train.yaml", schemas.LMF_CONFIG)
PREDICT_TEST_CONFIG = Artifact("configs/predict_test.yaml", schemas.LMF_CONFIG)
DATASET_INFO = Artifact("data/dataset_info.json", schemas.DATASET_INFO)
PROCESSES = Artifact("configs/processes.json", schemas.PROCESSES)
CONFIG_REVIEW = Artifact("review/config.json", schemas.REVIEW)
ADAPTER = File("adapter/adapter_model.safetensors")
ADAPTER_CONFIG = Artifact("adapter/adapter_config.json", schemas.ADAPTER_CONFIG)
TRAINER_LOG = Artifact("adapter/trainer_log.jsonl", schemas.TRAINER_LOG)

TRAIN_PREDICTIONS = Artifact("predictions/train.jsonl", schemas.PREDICTIONS)
CALIBRATION_PREDICTIONS = Artifact("predictions/calibration.jsonl", schemas.PREDICTIONS)
TEST_PREDICTIONS = Artifact("predictions/test.jsonl", schemas.PREDICTIONS)

BASELINES = Artifact("evaluation/baselines.json", schemas.BASELINES)
METRICS = Artifact("evaluation/metrics.json", schemas.METRICS)
CONFUSION_MATRIX_PLOT = File("evaluation/confusion_matrix.svg")
ROC_PLOT = File("evaluation/roc.svg")
PRECISION_RECALL_PLOT = File("evaluation/precision_recall.svg")
LOSS_PLOT = File("evaluation/loss.svg")

CALIBRATOR = Artifact("trust/calibrator.json", schemas.CALIBRATOR)
HELD_OUT = Artifact("trust/held_out.jsonl", schemas.PREDICTIONS)
CALIBRATED_TEST = Artifact("trust/test.jsonl", schemas.PREDICTIONS)
CALIBRATION_MEASURES = Artifact("trust/calibration_measures.json", schemas.CALIBRATION_MEASURES)
RELIABILITY_PLOT = File("trust/reliability.svg")
CONFORMAL = Artifact("trust/conformal.json", schemas.CONFORMAL)
CONFORMAL_PLOT = File("trust/conformal.svg")
RISK = Artifact("trust/risk.json", schemas.RISK)
RISK_PLOT = File("trust/risk_coverage.svg")
COSTS = Artifact("trust/costs.json", schemas.COSTS)
AUDIT = Artifact("trust/audit.json", schemas.AUDIT)
AUDIT_PLOT = File("trust/audit.svg")
LABEL_NOISE = Artifact("trust/label_noise.json", schemas.LABEL_NOISE)
SUSPECTS = File("trust/label_noise.csv")
ROBUSTNESS = Artifact("trust/robustness.json", schemas.ROBUSTNESS)
IMPORTANCE_PLOT = File("trust/importance.svg")

REPORT = File("report.html")
MODEL_CARD = File("model_card.md")
RESULTS = Artifact("evaluation/results.json", schemas.RESULTS)

FILES = {name.lower(): file for name, file in list(vars().items()) if isinstance(file, File)}
"""Every file that a rule makes, by its word: that of the constant above."""

ARTIFACTS = {word: file for word, file in FILES.items() if isinstance(file, Artifact)}
"""Those of them that have a schema."""

DECISIONS = {"data": DATA_REVIEW, "balance": BALANCE_REVIEW, "config": CONFIG_REVIEW}
"""Where the decision of each review lies."""


def approval_name(review: str) -> str:
    """The file of feedback/ in which a person approves what a review asks about, outside of a run."""
    return f"approve_{review}.yaml"
