"""Every schema in schemas/, by its name, with the type of the content it describes."""

from typing import Any, Generic, TypeVar

from loramake.artifact_types.agents import Call, Critique, Exploration, PlanAnswer, Refusal, Reply, Way
from loramake.artifact_types.dataset import LabelShift
from loramake.artifact_types.evaluation import Baselines, Evaluation
from loramake.artifact_types.explore import Profile, Splits, TaskDescription, UnusableColumns
from loramake.artifact_types.llm import AdapterConfig, Card, LlamaFactoryNames
from loramake.artifact_types.prediction import Prediction
from loramake.artifact_types.prepare import Plan, PrepState, Record, SelectedFeatures, Transformed, Verification
from loramake.artifact_types.report import Results
from loramake.artifact_types.review import Review
from loramake.artifact_types.training import DatasetInfo, LlamaFactoryConfig, LoggedStep, Processes
from loramake.artifact_types.trust import (
    Audit,
    CalibrationMeasures,
    Calibrator,
    Conformal,
    Costs,
    LabelNoise,
    Risk,
    Robustness,
)
from loramake.artifact_types.workflow import CommandLineContent, SourceHash

Content = TypeVar("Content")


class Schema(str, Generic[Content]):
    """The name of a schema, with the type of the content it describes for its readers and writers."""

    content: Any

    def __new__(cls, word: str, content: type[Content]) -> "Schema[Content]":
        schema = super().__new__(cls, word)
        schema.content = content
        return schema


PROFILE = Schema("profile", Profile)
TASK = Schema("task", TaskDescription)
SPLITS = Schema("splits", Splits)
UNUSABLE_COLUMNS = Schema("unusable_columns", UnusableColumns)

SELECTED_FEATURES = Schema("selected_features", SelectedFeatures)
PLAN = Schema("plan", Plan)
PREP_STATE = Schema("prep_state", PrepState)
RECORDS = Schema("records", list[Record])
TRANSFORMED = Schema("transformed", list[Transformed])
VERIFICATION = Schema("verification", Verification)

LABEL_SHIFT = Schema("label_shift", LabelShift)

LMF_CONFIG = Schema("lmf_config", LlamaFactoryConfig)
DATASET_INFO = Schema("dataset_info", DatasetInfo)
PROCESSES = Schema("processes", Processes)
TRAINER_LOG = Schema("trainer_log", list[LoggedStep])

PREDICTIONS = Schema("predictions", list[Prediction])

BASELINES = Schema("baselines", Baselines)
METRICS = Schema("metrics", Evaluation)

CALIBRATOR = Schema("calibrator", Calibrator)
CALIBRATION_MEASURES = Schema("calibration_measures", CalibrationMeasures)
CONFORMAL = Schema("conformal", Conformal)
RISK = Schema("risk", Risk)
COSTS = Schema("costs", Costs)
AUDIT = Schema("audit", Audit)
LABEL_NOISE = Schema("label_noise", LabelNoise)
ROBUSTNESS = Schema("robustness", Robustness)

REVIEW = Schema("review", Review)
RESULTS = Schema("results", Results)

TRANSCRIPT = Schema("transcript", list[Call | Refusal])
EXPLORE_DATA = Schema("answers/explore_data", Exploration)
PLAN_PREPARATION = Schema("answers/plan_preparation", PlanAnswer)
VERIFY_PREPARED_DATA = Schema("answers/verify_prepared_data", Critique)
AGENT_REPLY = Schema("agent_reply", Reply)
AGENT_WAYS = Schema("agent_ways", dict[str, Way])

CARD = Schema("card", Card)
ADAPTER_CONFIG = Schema("adapter_config", AdapterConfig)
LMF_NAMES = Schema("lmf_names", LlamaFactoryNames)

CONFIG = Schema("config", dict[str, Any])
COMMAND_LINE = Schema("command_line", CommandLineContent)
HASHES = Schema("hashes", dict[str, SourceHash])
