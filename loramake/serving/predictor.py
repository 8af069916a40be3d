"""A finished experiment as a predictor of new rows, in scikit-learn's manner.

from loramake import Predictor
predictor = Predictor("heart")
predictor.predict_proba(table)
"""

import functools
import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from loramake import artifacts, layout
from loramake.arrays import Codes, Floats
from loramake.artifact_types.prepare import Plan, Prompt, SandboxSetting
from loramake.artifact_types.trust import Calibrator, Costs, Risk, RiskLevel
from loramake.console import Advance, say, working
from loramake.errors import CodeError, ConfigError, DataError, LoramakeError, PredictionError
from loramake.experiments import RESULTS, RUNS, find_artifact, find_run, refuse_links
from loramake.layout import Artifact, File
from loramake.llm.scorer import LabelScorer, load_scorer
from loramake.prediction.predictions import read_scored
from loramake.prepare.code import choose_prep_sandbox
from loramake.prepare.execution import transform_each_row, transform_rows
from loramake.sandbox import Sandbox
from loramake.schemas import Content
from loramake.serving.columns import Columns, NewCells, count_remarks, count_text
from loramake.serving.new_rows import table_of_objects
from loramake.serving.remarks import KINDS, UNCLEAR, Remark, join_remarks
from loramake.settings import check_setting, refuse_renamed
from loramake.tasks import Task, read_task
from loramake.tasks.answers import Answers
from loramake.tasks.labels import Label
from loramake.text import as_percent, format_threshold, listed, shorten
from loramake.trust.calibration import apply_calibrator
from loramake.trust.conformal import load_sets
from loramake.trust.cost_matrix import decide_labels
from loramake.trust.decisions import decide_rows
from loramake.trust.prediction_sets import ConformalPredictor, Sets
from loramake.trust.selective import ABSTAIN

_FILES = (
    *(layout.TASK, layout.PROFILE, layout.PLAN, layout.PREP_SCRIPT, layout.PREP_STATE),
    *(layout.PREDICT_TEST_CONFIG, layout.ADAPTER_CONFIG, layout.ADAPTER, layout.LABEL_SHIFT),
    *(layout.CALIBRATOR, layout.HELD_OUT, layout.CONFORMAL, layout.RISK, layout.COSTS),
)
"""All files that a prediction depends on."""
_MOST_BROKEN = 10
"""If more rows of a batch than this cannot be predicted, the rows are not the cause."""

Table = pd.DataFrame | Sequence[Mapping[str, Any]]
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Decisions(NamedTuple):
    """Decisions about rows."""

    codes: Codes
    """Index of the decision among the labels, or ABSTAIN if a person should decide, shape (rows,)."""
    reasons: list[str | None]
    """Why a row is left to a person, and what is unusual about it."""
    probabilities: Floats
    """Calibrated P(label | row), shape (rows, labels); NaN in a row that could not be predicted."""
    sets: Sets
    """Conformal set of each row, shape (rows, labels); all labels for a row that could not be predicted."""
    expected_costs: Floats
    """Expected cost of the decision, shape (rows,); NaN without costs."""


def find_results(experiment: str | Path) -> Path:
    """The folder of an experiment, by its name in the working folder's results/ or by a path; ConfigError if none."""
    path = Path(experiment)
    if layout.TASK.within(path).is_file():
        refuse_links(path)
        return path
    if len(path.parts) > 1 and path.parent.name != RUNS and path.parent.resolve() != RESULTS.resolve():
        raise ConfigError(
            f"{path} is not an experiment's folder: give one such as results/exp1, which contains {layout.TASK.path}."
        )
    return find_run(str(experiment))


def name_here(experiment: str | Path) -> str | None:
    """The name of an experiment in the working folder's results/; None for one from elsewhere."""
    folder = find_results(experiment).resolve()
    return folder.name if folder.parent == RESULTS.resolve() else None


def _refusing_renamed(method: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The method, raising ConfigError for an argument with the old name of a setting."""

    @functools.wraps(method)
    def checked(*positional: _Given.args, **named: _Given.kwargs) -> _Result:
        for name in named:
            refuse_renamed(name, f"Predictor.{method.__name__}")
        return method(*positional, **named)

    return checked


class Predictor(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Calibrated probabilities, decisions and conformal sets of new rows from a finished experiment.

    A table is a DataFrame or a list of dicts, with cells of any kind and the columns that the experiment was trained
    on; None and NaN are missing cells. DataError names a missing column; a column that training never saw is ignored,
    and cells unlike all in training are predicted, both reported once. Everything is read when first needed.

    The folder may be somebody else's: only `sandbox` and `trust_remote_code`, like the settings of these names, decide
    what its code runs in and whether its base model may run its own code; nothing in the folder does.

    A scikit-learn classifier in all but `fit`: it was trained by `loramake run`. Labels have the type that
    `pd.read_csv` gives the target: int, float, bool or str. Labels with leading zeros, such as 007, are text.
    """

    def __init__(
        self, experiment: str | Path, sandbox: SandboxSetting = "auto", trust_remote_code: bool = False
    ) -> None:
        self.experiment, self.sandbox, self.trust_remote_code = experiment, sandbox, trust_remote_code
        check_setting("sandbox", sandbox, "Predictor: sandbox")
        if not isinstance(trust_remote_code, bool):
            raise ConfigError(f"Predictor: trust_remote_code: {trust_remote_code!r} is neither True nor False.")
        self.folder = find_results(experiment).resolve()
        for file in _FILES:
            find_artifact(self.folder, file)
        self._reported: set[str] = set()

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels in the order of predict_proba and predict_set, shape (labels,).

        scikit-learn assumes that they are sorted; the task's order, in `labels`, may differ.
        """
        return np.unique(self.labels)

    @property
    def labels(self) -> list[Label]:
        """The labels in the task's order, used by all but classes_, predict_proba and predict_set."""
        return self._task.typed_labels

    @property
    def label_texts(self) -> list[str]:
        """`labels` as the CSV writes them."""
        return self._task.labels

    @functools.cached_property
    def _task(self) -> Task:
        return read_task(self._path(layout.TASK))

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The columns that it uses, shape (features,)."""
        return np.array(self.columns.features, dtype=object)

    @property
    def n_features_in_(self) -> int:
        return len(self.columns.features)

    def fit(self, X: Any, y: Any = None) -> NoReturn:  # noqa: ARG002 - scikit-learn's signature
        """Refuses: fitted anew on each fold, it would be tested on rows that it was trained on."""
        raise ConfigError(
            "a Predictor is trained by `loramake run`, not by fit: where scikit-learn has to fit something around it, "
            "pass sklearn.frozen.FrozenEstimator(predictor)."
        )

    def set_params(self, **params: Any) -> "Predictor":
        """Refuses any: everything it has read belongs to its experiment."""
        if params:
            raise ConfigError('a Predictor stays with its experiment: create another one, Predictor("exp1").')
        return self

    def predict_proba(self, X: Table) -> Floats:
        """Calibrated P(label | row), shape (rows, labels); the row's error if one cannot be predicted."""
        return self._calibrated(X)[:, self._sorted]

    def predict(self, X: Table) -> NDArray[Any]:
        """The label of each row: the one with the lowest expected cost if costs are set, else the most probable.

        A label for every row; `decide` says which rows should be left to a person.
        """
        return np.array(self.labels)[decide_labels(self._costs, self._calibrated(X))]

    @_refusing_renamed
    def predict_set(self, X: Table, conformal_confidence: float | None = None) -> Sets:
        """Whether each label is in the row's conformal set, shape (rows, labels).

        The set contains the true label of new rows with a probability of at least `conformal_confidence`; unset, the
        experiment's.
        """
        return self._sets.predict(self._calibrated(X), conformal_confidence)[:, self._sorted]

    @_refusing_renamed
    def decide(self, X: Table, conformal_confidence: float | None = None) -> pd.DataFrame:
        """Everything about each row: decision, abstain, reason, p_<label> of every label, set and expected_cost.

        A row that cannot be predicted is abstained from, with the reason.
        """
        decisions = self.decide_cells(self._new_cells(X), conformal_confidence)
        labels = np.array(self.labels)
        decided = [self.labels[code] if code >= 0 else None for code in decisions.codes]
        return pd.DataFrame(
            {
                "decision": pd.Series(decided, dtype=object).to_numpy(),
                "abstain": decisions.codes < 0,
                "reason": decisions.reasons,
                **{f"p_{text}": decisions.probabilities[:, index] for index, text in enumerate(self.label_texts)},
                "set": [labels[members].tolist() for members in decisions.sets],
                "expected_cost": decisions.expected_costs,
            },
            index=X.index if isinstance(X, pd.DataFrame) else None,
        )

    def decide_cells(
        self,
        new: NewCells,
        conformal_confidence: float | None = None,
        advance: Advance | None = None,
    ) -> Decisions:
        """`decide` for cells as from `Columns`, as arrays."""
        # Decide on no rows first: a broken artifact is reported before the work.
        self._decided(apply_calibrator(self._calibrator, np.empty((0, len(self.labels)))), conformal_confidence)
        probabilities, failures = self._probabilities(new, advance)
        rows = len(new.cells)
        is_predicted = np.array([row not in failures for row in range(rows)], dtype=bool)
        decided = self._decided(probabilities[is_predicted], conformal_confidence)
        codes, costs = np.full(rows, ABSTAIN, dtype=np.int64), np.full(rows, np.nan)
        sets = np.ones(probabilities.shape, dtype=np.bool_)
        codes[is_predicted], costs[is_predicted], sets[is_predicted] = (
            decided.codes,
            decided.expected_costs,
            decided.sets,
        )
        reasons = iter(decided.reasons)
        all_reasons = [
            next(reasons) if is_fine else str(failures[row]) for row, is_fine in enumerate(is_predicted.tolist())
        ]
        return Decisions(codes, _with_remarks(all_reasons, new.remarks), probabilities, sets, costs)

    def _decided(self, probabilities: Floats, conformal_confidence: float | None) -> Decisions:
        decided = decide_rows(self._costs, self._risk, probabilities)
        reasons: list[str | None] = [_ASKING_COSTS_LESS if is_asked else None for is_asked in decided.by_cost.tolist()]
        if (chosen := self._risk["chosen"]) is not None:
            for row in np.flatnonzero(decided.by_risk).tolist():
                reasons[row] = _uncertain(chosen, float(decided.top_probability[row]))
        sets = self._sets.predict(probabilities, conformal_confidence)
        return Decisions(decided.codes, reasons, probabilities, sets, decided.expected)

    def say_unused(self, names: Sequence[str], where: str) -> None:
        """Report, once each, the columns of a table that training never saw."""
        if new := [name for name in self.columns.unknown(names) if name not in self._reported]:
            self._reported.update(new)
            say(f"{where}: ignored, since training never saw them: {listed([shorten(name, 40) for name in new])}.")

    def say_notes(self, notes: Mapping[str, str], where: str) -> None:
        """Report, once each, the features whose cells are written otherwise than those of training."""
        if new := {name: note for name, note in notes.items() if note not in self._reported}:
            self._reported.update(new.values())
            texts = [f"{shorten(name, 40)}: {note}" for name, note in new.items()]
            say(f"{where}: read in its own format, unlike the training's: {listed(texts)}.")

    def say_remarks(self, counts: Mapping[tuple[str | None, str], int], where: str) -> None:
        """Report, once each, the features with unusual cells, as counted by `count_remarks`."""
        new = {key: count for key, count in counts.items() if f"{key}" not in self._reported}
        if new:
            self._reported.update(map(str, new))
            texts = [_describe_remarks(name, kind, count) for (name, kind), count in new.items()]
            say(f"{where}: unlike anything in training: {listed(texts)}.")

    def fingerprint(self) -> str:
        """A sha256 of everything a prediction depends on except the rows and the base model."""
        together = hashlib.sha256(importlib.metadata.version("loramake").encode())
        for file in _FILES:
            together.update(f"{file.path} {artifacts.sha256(self._path(file))}\n".encode())
        return together.hexdigest()

    @functools.cached_property
    def columns(self) -> Columns:
        """The columns that new rows need."""
        return Columns.of(self._plan, self._read(layout.PROFILE))

    def _new_cells(self, table: Table) -> NewCells:
        where = "the table"
        if isinstance(table, pd.DataFrame):
            names = self.columns.align([str(name) for name in table.columns], where)
            cells = self.columns.as_text(table.set_axis(names, axis=1), where)
        elif isinstance(table, list | tuple):
            cells, names = table_of_objects(table, self.columns, where)
        else:
            raise DataError(f"a {type(table).__name__} has no named columns: give a DataFrame or a list of dicts.")
        adapted = self.columns.adapt({name: count_text(cells[name]) for name in self.columns.features})
        new = self.columns.read(cells, adapted)
        self.say_unused(names, where)
        self.say_notes({name: reading.note for name, reading in adapted.items() if reading.note}, where)
        self.say_remarks(count_remarks(new.remarks), where)
        return new

    @functools.cached_property
    def _sorted(self) -> Codes:
        """The index in `labels` of each of `classes_`."""
        return np.argsort(self.labels)

    def _calibrated(self, table: Table) -> Floats:
        """Calibrated probabilities in the task's order; the error of the first row that cannot be predicted."""
        probabilities, failures = self._probabilities(self._new_cells(table), None)
        if failures:
            row, failure = min(failures.items())
            failure.args = (f"the table, index {row}: {failure}",)
            raise failure
        return probabilities

    def _probabilities(self, new: NewCells, advance: Advance | None) -> tuple[Floats, dict[int, LoramakeError]]:
        """Calibrated probabilities (rows, labels), NaN in rows that cannot be predicted, and why those can't."""
        calibrator = self._calibrator
        texts = Answers.of(self._plan).texts
        probabilities = np.full((len(new.cells), len(texts)), np.nan)
        records, failures = self._records(new.cells)
        for row, text in _unclear(new.remarks).items():
            records.pop(row, None)
            failures[row] = DataError(f"The row is not predicted: {text}.")
        if records:
            scorer = self._scorer
            scored = _score_with_failures(
                list(records),
                lambda rows: scorer.probabilities([records[row] for row in rows], texts, advance),
                failures,
            )
            if scored:
                probabilities[list(scored)] = apply_calibrator(calibrator, np.stack(list(scored.values())))
        return probabilities, failures

    def _records(self, cells: pd.DataFrame) -> tuple[dict[int, dict[str, str]], dict[int, LoramakeError]]:
        """The records by row index, and why other rows have none."""
        prompts = self._transformed(cells) if len(cells) else []
        records = {
            row: {"instruction": prompt["instruction"], "input": prompt["input"]}
            for row, prompt in enumerate(prompts)
            if not isinstance(prompt, str)
        }
        failures: dict[int, LoramakeError] = {
            row: CodeError(f"The row cannot be prepared ({prompt}).")
            for row, prompt in enumerate(prompts)
            if isinstance(prompt, str)
        }
        return records, failures

    def _transformed(self, cells: pd.DataFrame) -> Sequence[Prompt | str]:
        """The record of each row, or why it has none; CodeError if no row has one."""
        script, state = self._path(layout.PREP_SCRIPT), self._path(layout.PREP_STATE)
        try:
            return transform_rows(script, self.columns.features, cells, state, self._sandbox)
        except CodeError:
            prompts = transform_each_row(script, self.columns.features, cells, state, self._sandbox)
            if len(prompts) > _MOST_BROKEN and all(isinstance(prompt, str) for prompt in prompts):
                raise
            return prompts

    def _path(self, file: File) -> Path:
        return file.within(self.folder)

    def _read(self, artifact: Artifact[Content]) -> Content:
        return artifacts.read(self._path(artifact), artifact.schema)

    @functools.cached_property
    def _plan(self) -> Plan:
        return self._read(layout.PLAN)

    @functools.cached_property
    def _sandbox(self) -> Sandbox:
        return choose_prep_sandbox(self.sandbox, self._path(layout.PLAN))

    @functools.cached_property
    def _scorer(self) -> LabelScorer:
        """The scorer with this experiment's adapter and base model: beside results/, loramake's own, or from a hub."""
        config = self._read(layout.PREDICT_TEST_CONFIG)
        beside = self.folder.parent.parent / config["model_name_or_path"]
        model = str(beside) if beside.is_dir() else config["model_name_or_path"]
        with working("loading the model"):
            return load_scorer(
                {**config, "model_name_or_path": model},
                self._path(layout.ADAPTER).parent,
                self.trust_remote_code,
                self._read(layout.LABEL_SHIFT),
            )

    @functools.cached_property
    def _calibrator(self) -> Calibrator:
        return self._read(layout.CALIBRATOR)

    @functools.cached_property
    def _sets(self) -> ConformalPredictor:
        conformal = self._read(layout.CONFORMAL)
        calibration = read_scored(self._path(layout.HELD_OUT), self.label_texts, conformal["rows"])
        return load_sets(conformal, calibration)

    @functools.cached_property
    def _risk(self) -> Risk:
        return self._read(layout.RISK)

    @functools.cached_property
    def _costs(self) -> Costs:
        return self._read(layout.COSTS)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> "Predictor":
        """The same object: fitting would change nothing in it, and a model is large."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The arguments and the folder, so that another process loads its own model."""
        return {
            name: self.__dict__[name] for name in ("experiment", "sandbox", "trust_remote_code", "folder", "_reported")
        }


def _describe_remarks(name: str | None, kind: str, count: int) -> str:
    one, several = KINDS[kind]
    if name is None:
        return f"{count:,} {one if count == 1 else several}"
    return f"{shorten(name, 40)} ({count:,} {'cell' if count == 1 else 'cells'}, {one if count == 1 else several})"


def _unclear(remarks: Sequence[Remark]) -> dict[int, str]:
    """By row, why it is not predicted."""
    return {remark.row: remark.text for remark in reversed(remarks) if remark.kind == UNCLEAR}


def _with_remarks(reasons: list[str | None], remarks: Sequence[Remark]) -> list[str | None]:
    """The reasons, each followed by the remarks on its row; an unclear cell is a reason already."""
    by_row: dict[int, list[Remark]] = {}
    for remark in remarks:
        if remark.kind != UNCLEAR:
            by_row.setdefault(remark.row, []).append(remark)
    return [
        _joined(reason, join_remarks(by_row[row])) if row in by_row else reason for row, reason in enumerate(reasons)
    ]


def _joined(reason: str | None, remarks: str) -> str:
    return remarks if reason is None else f"{reason.removesuffix('.')}; {remarks}"


_ASKING_COSTS_LESS = "asking a person costs less than the expected cost of any decision"


def _uncertain(chosen: RiskLevel, top_probability: float) -> str:
    """Why risk control abstains from a row."""
    promise = f"at most {as_percent(chosen['max_selective_error'])} of the predictions are incorrect"
    if chosen["threshold"] is None:
        return f"the calibration rows show no threshold above which {promise}"
    least = chosen["threshold"]
    shown, needed = format_threshold(top_probability, least), format_threshold(least, top_probability)
    return f"its label has probability {shown}, below the threshold {needed} at which {promise}"


def _score_with_failures(
    rows: list[int], score: Callable[[list[int]], Floats], failures: dict[int, LoramakeError]
) -> dict[int, Floats]:
    """The probabilities of each row; rows that cannot be scored are located by bisection and added to the failures.

    If there are more than a few, the last failure is raised: then the rows are not the cause.
    """
    try:
        return dict(zip(rows, score(rows), strict=True))
    except PredictionError as error:
        if len(rows) == 1:
            if len(failures) >= _MOST_BROKEN:
                raise
            failures[rows[0]] = error
            return {}
        half = len(rows) // 2
        return {
            **_score_with_failures(rows[:half], score, failures),
            **_score_with_failures(rows[half:], score, failures),
        }
