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
from loramake.artifact_types.prepare import Plan, Prompt, SandboxSetting
from loramake.artifact_types.trust import Calibrator, Costs, Risk, RiskLevel
from loramake.console import Advance, say, working
from loramake.errors import CodeError, ConfigError, DataError, LoramakeError, PredictionError
from loramake.experiments import RESULTS, find_artifact, find_experiment, refuse_links
from loramake.layout import Artifact, File
from loramake.llm.scorer import LabelScorer, load_scorer
from loramake.prediction.predictions import Codes, Floats, read_scored
from loramake.prepare.code import choose_prep_sandbox
from loramake.prepare.execution import transform_each_row, transform_rows
from loramake.sandbox import Sandbox
from loramake.schemas import Content
from loramake.serving.new_rows import Columns, table_of_objects
from loramake.settings import check_setting, refuse_renamed
from loramake.tasks import read_task
from loramake.tasks.answers import Answers
from loramake.text import as_percent, format_threshold, listed, shorten
from loramake.trust.calibration import apply_calibrator
from loramake.trust.conformal import SetPredictor, Sets, load_sets
from loramake.trust.cost_matrix import ABSTAIN, decide_labels
from loramake.trust.decisions import decide_rows

_FILES = (
    *(layout.TASK, layout.PROFILE, layout.PLAN, layout.PREP_SCRIPT, layout.PREP_STATE),
    *(layout.PREDICT_TEST_CONFIG, layout.ADAPTER_CONFIG, layout.ADAPTER),
    *(layout.CALIBRATOR, layout.HELD_OUT, layout.CONFORMAL, layout.RISK, layout.COSTS),
)
"""All that a prediction follows from."""
_MOST_BROKEN = 10
"""Of more rows of one batch that cannot be predicted, it is not the rows that are wrong."""

Table = pd.DataFrame | Sequence[Mapping[str, Any]]
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Decisions(NamedTuple):
    """What is decided about rows."""

    codes: Codes
    """Place of the decision among the labels, or ABSTAIN where a person should decide, shape (rows,)."""
    reasons: list[str | None]
    """Why a row is left to a person."""
    probabilities: Floats
    """Calibrated P(label | row), shape (rows, labels); NaN in a row that could not be predicted."""
    sets: Sets
    """Conformal set of each row, shape (rows, labels); every label of a row that could not be predicted."""
    expected_costs: Floats
    """Of the decision, shape (rows,); NaN without costs."""


def find_results(experiment: str | Path) -> Path:
    """The folder of an experiment, by its name in the working folder's results/ or by a path; ConfigError without."""
    path = Path(experiment)
    if layout.TASK.within(path).is_file():
        refuse_links(path)
        return path
    if len(path.parts) > 1 and path.parent.resolve() != RESULTS.resolve():
        raise ConfigError(
            f"{path} is no experiment's folder: give one such as results/exp1, which holds a {layout.TASK.path}."
        )
    return find_experiment(str(experiment))


def name_here(experiment: str | Path) -> str | None:
    """The name of an experiment that lies in the working folder's results/; None of one from elsewhere."""
    folder = find_results(experiment).resolve()
    return folder.name if folder.parent == RESULTS.resolve() else None


def _refusing_renamed(method: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The method, which raises ConfigError for an argument by the old name of a setting."""

    @functools.wraps(method)
    def checked(*positional: _Given.args, **named: _Given.kwargs) -> _Result:
        for name in named:
            refuse_renamed(name, f"Predictor.{method.__name__}")
        return method(*positional, **named)

    return checked


class Predictor(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Calibrated probabilities, decisions and conformal sets of new rows from a finished experiment.

    A table is a DataFrame or a list of dicts, of cells of any kind, with the columns that the experiment was trained
    on; None and NaN are missing cells. DataError names a column that is missing; a column that training never saw is
    not used, and cells unlike all of its own are predicted, both said once. Everything is read when it is first needed.

    The folder may be somebody else's: what its code runs in, and whether its base may run code of its own, is said by
    `sandbox` and `trust_remote_code`, as the settings of these names, and by nothing in the folder.

    A scikit-learn classifier in all but `fit`: it was trained by `loramake run`. Labels are text; rows that it is
    compared with have to be read as text, too (`pd.read_csv(..., dtype=str)`).
    """

    def __init__(
        self, experiment: str | Path, sandbox: SandboxSetting = "auto", trust_remote_code: bool = False
    ) -> None:
        self.experiment, self.sandbox, self.trust_remote_code = experiment, sandbox, trust_remote_code
        check_setting("sandbox", sandbox, "Predictor")
        if not isinstance(trust_remote_code, bool):
            raise ConfigError(f"Predictor: trust_remote_code: {trust_remote_code!r} is neither True nor False.")
        self.folder = find_results(experiment).resolve()
        for file in _FILES:
            find_artifact(self.folder, file)
        self._said: set[str] = set()

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The labels in the order of predict_proba and predict_set, shape (labels,).

        scikit-learn takes it for granted that they are sorted; the task's order, in `labels`, may be another.
        """
        return np.unique(self.labels)

    @functools.cached_property
    def labels(self) -> list[str]:
        """The labels in the task's order, which all but classes_, predict_proba and predict_set keeps."""
        return read_task(self._path(layout.TASK)).labels

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The columns that it reads, shape (features,)."""
        return np.array(self.columns.features, dtype=object)

    @property
    def n_features_in_(self) -> int:
        return len(self.columns.features)

    def fit(self, X: Any, y: Any = None) -> NoReturn:  # noqa: ARG002 - scikit-learn's signature
        """Refuses: fitted anew on each fold it would be tested on rows that it was trained on."""
        raise ConfigError(
            "a Predictor is trained by `loramake run`, not by fit: where scikit-learn has to fit something around it, "
            "give it sklearn.frozen.FrozenEstimator(predictor)."
        )

    def set_params(self, **params: Any) -> "Predictor":
        """Refuses any: all that it has read is of the experiment that it was made with."""
        if params:
            raise ConfigError('a Predictor stays with its experiment: make another one, Predictor("exp1").')
        return self

    def predict_proba(self, X: Table) -> Floats:
        """Calibrated P(label | row), shape (rows, labels); an error of the row where one cannot be predicted."""
        return self._calibrated(X)[:, self._sorted]

    def predict(self, X: Table) -> NDArray[np.str_]:
        """The label of each row: of the lowest expected cost where costs are set, else the most probable one.

        A label for every row; `decide` says which rows should be left to a person.
        """
        return np.array(self.labels)[decide_labels(self._costs, self._calibrated(X))]

    @_refusing_renamed
    def predict_set(self, X: Table, conformal_confidence: float | None = None) -> Sets:
        """Whether each label is in the row's conformal set, shape (rows, labels).

        The set holds the true label of new rows with a probability of at least `conformal_confidence`; unset, the
        experiment's.
        """
        return self._sets.predict(self._calibrated(X), conformal_confidence)[:, self._sorted]

    @_refusing_renamed
    def decide(self, X: Table, conformal_confidence: float | None = None) -> pd.DataFrame:
        """Everything about each row: decision, abstain, reason, p_<label> of every label, set and expected_cost.

        A row that cannot be predicted is one to abstain from, with the reason.
        """
        found = self.decide_cells(self._cells(X), conformal_confidence)
        labels = np.array(self.labels)
        return pd.DataFrame(
            {
                "decision": [labels[code] if code >= 0 else None for code in found.codes],
                "abstain": found.codes < 0,
                "reason": found.reasons,
                **{f"p_{label}": found.probabilities[:, place] for place, label in enumerate(labels)},
                "set": [labels[inside].tolist() for inside in found.sets],
                "expected_cost": found.expected_costs,
            },
            index=X.index if isinstance(X, pd.DataFrame) else None,
        )

    def decide_cells(
        self,
        cells: pd.DataFrame,
        conformal_confidence: float | None = None,
        first: int = 0,
        advance: Advance | None = None,
    ) -> Decisions:
        """`decide` of text cells as `Columns` gives them, as arrays; errors count rows from `first`."""
        # Of no rows first: an artifact that is broken is named before the work.
        self._decided(apply_calibrator(self._calibrator, np.empty((0, len(self.labels)))), conformal_confidence)
        probabilities, failures = self._probabilities(cells, first, advance)
        good = np.array([row not in failures for row in range(len(cells))], dtype=bool)
        found = self._decided(probabilities[good], conformal_confidence)
        codes, costs = np.full(len(cells), ABSTAIN, dtype=np.int64), np.full(len(cells), np.nan)
        sets = np.ones(probabilities.shape, dtype=np.bool_)
        codes[good], costs[good], sets[good] = found.codes, found.expected_costs, found.sets
        reasons = iter(found.reasons)
        said = [next(reasons) if fine else str(failures[row]) for row, fine in enumerate(good.tolist())]
        return Decisions(codes, said, probabilities, sets, costs)

    def _decided(self, probabilities: Floats, conformal_confidence: float | None) -> Decisions:
        found = decide_rows(self._costs, self._risk, probabilities)
        reasons: list[str | None] = [_DEAR if asked else None for asked in found.by_cost.tolist()]
        if (chosen := self._risk["chosen"]) is not None:
            for row in np.flatnonzero(found.by_risk).tolist():
                reasons[row] = _uncertain(chosen, float(found.top_probability[row]))
        sets = self._sets.predict(probabilities, conformal_confidence)
        return Decisions(found.codes, reasons, probabilities, sets, found.expected)

    def say_unused(self, names: Sequence[str], where: str) -> None:
        """Name, once each, the columns of a table that training never saw."""
        if new := [name for name in self.columns.unknown(names) if name not in self._said]:
            self._said.update(new)
            say(f"{where}: not used, since training never saw them: {listed([shorten(name, 40) for name in new])}.")

    def say_unlike(self, cells: Mapping[str, int], where: str) -> None:
        """Name, once each, the features with cells unlike all that training saw, as `Columns.unlike` counts them."""
        if new := {name: count for name, count in cells.items() if count and name not in self._said}:
            self._said.update(new)
            said = listed([self._told(name, count) for name, count in new.items()])
            say(f"{where}: predicted, though training saw no such cells: {said}.")

    def _told(self, name: str, count: int) -> str:
        kinds = ("no number", "no numbers") if name in self.columns.numbers else ("a new category", "new categories")
        cells, kind = ("cell", kinds[0]) if count == 1 else ("cells", kinds[1])
        return f"{shorten(name, 40)} ({count:,} {cells}, {kind})"

    def fingerprint(self) -> str:
        """A sha256 of all that a prediction follows from but the rows and the base model."""
        together = hashlib.sha256(importlib.metadata.version("loramake").encode())
        for file in _FILES:
            together.update(f"{file.path} {artifacts.sha256(self._path(file))}\n".encode())
        return together.hexdigest()

    @functools.cached_property
    def columns(self) -> Columns:
        """What new rows need."""
        return Columns.of(self._plan, self._read(layout.PROFILE))

    def _cells(self, table: Table) -> pd.DataFrame:
        where = "the table"
        if isinstance(table, pd.DataFrame):
            names = self.columns.align([str(name) for name in table.columns], where)
            cells = self.columns.as_text(table.set_axis(names, axis=1), where)
        elif isinstance(table, list | tuple):
            cells, names = table_of_objects(table, self.columns, where)
        else:
            raise DataError(f"a {type(table).__name__} has no named columns: give a DataFrame or a list of dicts.")
        self.say_unused(names, where)
        self.say_unlike(self.columns.unlike(cells), where)
        return cells

    @functools.cached_property
    def _sorted(self) -> Codes:
        """Where each of `classes_` stands among `labels`."""
        return np.argsort(self.labels)

    def _calibrated(self, table: Table) -> Floats:
        """Calibrated probabilities in the task's order; the error of the first row that cannot be predicted."""
        probabilities, failures = self._probabilities(self._cells(table), 0, None)
        if failures:
            raise failures[min(failures)]
        return probabilities

    def _probabilities(
        self, cells: pd.DataFrame, first: int, advance: Advance | None
    ) -> tuple[Floats, dict[int, LoramakeError]]:
        """Calibrated probabilities (rows, labels), NaN in rows that cannot be predicted, and why those can't."""
        calibrator = self._calibrator
        texts = Answers.of(self._plan).texts
        probabilities = np.full((len(cells), len(texts)), np.nan)
        records, failures = self._records(cells, first)
        if records:
            scorer = self._scorer
            found = _sifted(
                list(records),
                lambda rows: scorer.probabilities([records[row] for row in rows], texts, advance),
                failures,
            )
            if found:
                probabilities[list(found)] = apply_calibrator(calibrator, np.stack(list(found.values())))
        return probabilities, failures

    def _records(self, cells: pd.DataFrame, first: int) -> tuple[dict[int, Prompt], dict[int, LoramakeError]]:
        """The records of rows by their place, which count from `first`, and why others have none."""
        made = self._transformed(cells) if len(cells) else []
        records: dict[int, Prompt] = {
            row: {**each, "row": first + row} for row, each in enumerate(made) if not isinstance(each, str)
        }
        failures: dict[int, LoramakeError] = {
            row: CodeError(f"Row {first + row} cannot be prepared ({each}).")
            for row, each in enumerate(made)
            if isinstance(each, str)
        }
        return records, failures

    def _transformed(self, cells: pd.DataFrame) -> Sequence[Prompt | str]:
        """The record of each row, or why it has none; CodeError where nearly any row would have none."""
        script, state = self._path(layout.PREP_SCRIPT), self._path(layout.PREP_STATE)
        try:
            return transform_rows(script, self.columns.features, cells, state, self._sandbox)
        except CodeError:
            made = transform_each_row(script, self.columns.features, cells, state, self._sandbox)
            if len(made) > _MOST_BROKEN and all(isinstance(each, str) for each in made):
                raise
            return made

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
        """With this very experiment's adapter and its base: one beside results/, loramake's own, or one of a hub."""
        config = self._read(layout.PREDICT_TEST_CONFIG)
        beside = self.folder.parent.parent / config["model_name_or_path"]
        model = str(beside) if beside.is_dir() else config["model_name_or_path"]
        with working("loading the model"):
            return load_scorer(
                {**config, "model_name_or_path": model}, self._path(layout.ADAPTER).parent, self.trust_remote_code
            )

    @functools.cached_property
    def _calibrator(self) -> Calibrator:
        return self._read(layout.CALIBRATOR)

    @functools.cached_property
    def _sets(self) -> SetPredictor:
        conformal = self._read(layout.CONFORMAL)
        calibration = read_scored(self._path(layout.HELD_OUT), self.labels, conformal["rows"])
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
        """The same: there is nothing in it that fitting would change, and a model is large."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The folder and what was asked for, so that another process reads its own model."""
        return {name: self.__dict__[name] for name in ("experiment", "sandbox", "trust_remote_code", "folder", "_said")}


_DEAR = "asking a person costs less than any decision is expected to"


def _uncertain(chosen: RiskLevel, top_probability: float) -> str:
    """Why risk control abstains from a row."""
    asked = f"at most {as_percent(chosen['max_selective_error'])} of the answers are wrong"
    if chosen["threshold"] is None:
        return f"the calibration rows show no threshold from which on {asked}"
    least = chosen["threshold"]
    shown, needed = format_threshold(top_probability, least), format_threshold(least, top_probability)
    return f"its label has {shown}, below the {needed} from which on {asked}"


def _sifted(
    rows: list[int], score: Callable[[list[int]], Floats], failures: dict[int, LoramakeError]
) -> dict[int, Floats]:
    """The probabilities of each row; rows that cannot be scored are found by halving and put among the failures.

    Where more than a few cannot be, the last failure is raised: then it is not the rows that are wrong.
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
        return {**_sifted(rows[:half], score, failures), **_sifted(rows[half:], score, failures)}
