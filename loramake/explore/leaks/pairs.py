"""Columns that give the target away, alone or in pairs, each with its evidence; found before anything is planned.

An exact rule (one label a value, or numbers cut into as many intervals as there are labels) is believed where random
labels would fit it with a probability below 1e-4 a table: of the n! / (n₁! … n_k!) ways to hand out labels to n rows at
most k^values fit given values, and k! given numbers; the quotient is multiplied by the number of columns or pairs tried
(Bonferroni). It counts rows as independent: a table that repeats each case many times breaks it.

A noisy rule is believed from a mean recall over the labels of 0.92 and none below 0.85, so up to about 8% wrong cells,
and only of columns made like a copy: few values, or numbers that lie near one number a label. A measurement may be that
good too (petal width is, for irises, at 96%), but its numbers spread. By chance it hardly happens: 17 in 20 rows of
each label would have to lie where at most 3 in 20 of another's do, below 1e-9 a column from 20 rows a label on.

Not looked at: three columns together, weighted sums, cuts of two columns at once, noise in pairs of numbers, numbers
whose cut depends on a category, the values of dates that are not ISO 8601, single words of longer texts, and some pairs
of tables of thousands of columns, which `find_leaks` then says.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier

from loramake.console import say
from loramake.tables.reading import NumberStyle, number_styles, to_numbers
from loramake.text import shorten

_FILLED = 0.5
"""A column's values are judged where this share of its rows has one."""
_ROWS_A_VALUE = 5
"""A value must come up this often on average before its column can be called a leak rather than a near-id."""
_ROWS_A_LABEL = 20
"""Labels of fewer rows are not judged by a noisy rule; a pair needs as many rows of every label."""
_CHANCE = 1e-4
_MEAN_RECALL, _MIN_RECALL = 0.92, 0.85
_NEAR = 0.2
"""A number stands for a label within this share of the gap from its median to the next label's."""
_ALONE_EXACT, _ALONE_OPERATION, _ALONE_NOISY = 0.95, 0.87, 0.7
"""A pair is news where neither column alone has this mean recall: strong features may part the labels together."""
_FEW_VALUES = 20
_MAX_PAIRED_COLUMNS, _MAX_PAIRED_VALUES, _MAX_CONFIRMED = 2000, 4000, 300
_ROWS_TO_SCREEN_VALUES, _ROWS_TO_SCREEN_OPERATIONS = 2000, 24
"""Pairs are screened on a sample of rows with as many of each label, and confirmed on all rows."""

_EQUAL = "whether they are equal"
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "their difference": np.subtract,
    "their sum": np.add,
    "their product": np.multiply,
    "their ratio": np.divide,
    _EQUAL: lambda one, other: np.where(np.isnan(one - other), np.nan, one == other),
}
_SYNONYMS = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y", "ja", "j", "oui", "si"), "1"),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n", "nein", "non"), "0"),
}
_AFTER = re.compile(
    r"(?:date(?:of|de)?|dt|fecha(?:de)?)?(?:"
    r"death|died|deceased?|dod|discharged?|closed?|closing|closure|cancel(?:l?ed|l?ation)?|churn(?:ed)?|"
    r"resol(?:ved|ution)|terminat(?:ed|ion)|(?:paid|pay|charged?|writ(?:e|ten))off|default(?:ed)?|refund(?:ed)?|"
    r"outcome|diagnos(?:is|ed|e)|settle(?:d|ment)|repaid|relapsed?|unsubscribed|deactivated|resign(?:ed|ation)|verdict|"
    r"tod(?:es)?|sterbe|gestorben|verstorben|entlass(?:ung|en)|kue?ndigung|gekue?ndigt|storn(?:o|iert|ierung)|austritt|"
    r"abschluss|(?:rue?ck)?erstattung|deces|sortie|resiliation|annulation|cloture|fermeture|remboursement|diagnostico?|"
    r"muerte|defuncion|fallecimiento|baja|cancelacion|cierre|reembolso|resolucion|egreso"
    r")s?(?:date|datum|day|time|dt|ts|at|on)?"
)
"""A word of a column's name that speaks of the outcome, in English, German, French or Spanish."""
_MAYBE_AFTER = re.compile(r"(?:end(?:ed)?|ende|fin|exit(?:ed)?|left|completed|finished|returned)(?:date|datum)?")
"""Words that may as well speak of a plan: believed only where the filled cells go with the target."""
_BEFORE = {
    *("previous", "prev", "prior", "planned", "expected", "scheduled", "estimated", "due", "next", "birth"),
    *("vorherige", "geplante", "geplantes", "prevu", "prevue", "previsto", "prevista"),
}


class Leak(TypedDict):
    """A column that gives the target away, and one clause that says how."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class _Labels:
    """The target: a code for each row, which are sorted by it; the label of each code; the number of columns asked."""

    codes: np.ndarray
    names: list[str]
    columns: int

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of each label."""
        return np.bincount(self.codes, minlength=len(self.names))

    def cross(self, values: np.ndarray) -> np.ndarray:
        """Rows by value (those below 0 are none) and label, of shape (values, labels)."""
        filled, k = values >= 0, len(self.names)
        cells = np.bincount(values[filled] * k + self.codes[filled], minlength=(values.max(initial=-1) + 1) * k)
        return cells.reshape(-1, k)

    def sample(self, rows: int, most: int | None = None) -> np.ndarray:
        """Places of about `rows` rows, sorted by label, as many of each of all labels or of the first `most`."""
        places = np.split(np.arange(len(self.codes)), np.cumsum(self.rows)[:-1])[:most]
        rng = np.random.default_rng(0)
        return np.concatenate([rng.permutation(own)[: rows // len(places)] for own in places])


@dataclass(frozen=True, eq=False)
class _Column:
    """A column: a code for each row (-1 where missing), the word of each code, and numbers or dates, if mostly such."""

    name: str
    kind: str
    labels: _Labels
    codes: np.ndarray
    words: np.ndarray
    numbers: np.ndarray | None

    @cached_property
    def tidy(self) -> np.ndarray:
        """Codes of the normalised words; of numbers, and of words too many to be few values, the codes themselves."""
        if self.numbers is not None or len(self.words) > 1000:
            return self.codes
        return np.asarray(np.append(_normal_codes(self.words), -1)[self.codes])

    @cached_property
    def values(self) -> int:
        return int(self.tidy.max(initial=-1)) + 1

    @cached_property
    def by_filled(self) -> np.ndarray:
        """Rows that are empty and that are filled, by label, of shape (2, labels)."""
        filled = self.labels.cross(np.where(self.codes >= 0, 0, -1)).sum(axis=0)
        return np.array([self.labels.rows - filled, filled])

    @property
    def is_mostly_filled(self) -> bool:
        return bool(np.mean(self.codes >= 0) >= _FILLED)

    @cached_property
    def strength(self) -> float:
        """Mean recall over the labels by this column alone; 0 of words that are too many to say."""
        if self.values <= _FEW_VALUES:
            return float(_recalls(self.labels.cross(self.tidy), _FEW_VALUES).mean())
        return 0.0 if self.numbers is None else float(_recalls(_cut(self.numbers, self.labels), _FEW_VALUES).mean())


def find_leaks(table: pd.DataFrame, target: str, columns: list[dict[str, Any]]) -> list[Leak]:
    """Suspected leaks among a profile's columns, in their order, each column once.

    `table` holds text cells, missing ones None, and only rows with a target. Constants are passed over; of ids only the
    order and the gaps are looked at. Says so where a table is too wide for all pairs to be tried.
    """
    codes, names = pd.factorize(table[target], sort=True)
    order = np.argsort(codes, kind="stable")
    labels = _Labels(codes[order], list(names), len(columns))
    styles = number_styles(columns)
    found: dict[str, str] = {}
    others = []
    for entry in columns:
        if entry["name"] == target or entry["type"] == "constant":
            continue
        column = _read(table[entry["name"]], entry["type"], styles[entry["name"]], order, labels)
        if reason := _find_reason(column, target):
            found[column.name] = reason
        elif column.kind != "id" and column.is_mostly_filled:
            others.append(column)
    if len(names) > 1 and labels.rows.min() >= _ROWS_A_LABEL:
        found |= _find_pairs(others, labels)
    return [Leak(name=entry["name"], reason=found[entry["name"]]) for entry in columns if entry["name"] in found]


def _find_reason(column: _Column, target: str) -> str | None:
    """How a column gives the target away by itself."""
    if column.kind == "id":
        return _is_filled_by_label(column) or _sorts_like_target(column)
    checks = [_is_filled_by_label]
    if column.is_mostly_filled:
        checks += [_has_one_label_a_value, _is_cut_into_labels, _has_one_number_a_label, _has_nearly_one_label_a_value]
    return next(filter(None, (check(column) for check in checks)), None) or _name_speaks_of_outcome(column, target)


def _read(cells: "pd.Series[str]", kind: str, style: NumberStyle, order: np.ndarray, labels: _Labels) -> _Column:
    codes, words = pd.factorize(cells)
    codes = codes[order]
    numbers = _read_numbers(pd.Series(words, dtype=object), kind, style)
    if numbers is not None:
        numbers = np.append(numbers, np.nan)[codes]
    if numbers is not None and np.isnan(numbers).mean() > 1 - _FILLED:
        numbers = None
    return _Column(str(cells.name), kind, labels, codes, np.asarray(words), numbers)


def _read_numbers(words: "pd.Series[str]", kind: str, style: NumberStyle) -> np.ndarray | None:
    """Numbers, seconds of dates, and of ids their place in an order in which P9 comes before P10; None for the rest."""
    if kind == "date":
        dates = pd.to_datetime(words, errors="coerce", format="ISO8601", utc=True)
        return (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    if kind not in ("numeric", "id"):
        return None
    numbers = to_numbers(words, style)
    if kind == "id" and numbers.isna().any():
        padded = words.str.replace(r"\d+", lambda digits: digits[0].zfill(20), regex=True)
        return padded.rank(method="dense").to_numpy()
    return numbers.to_numpy()


def _plain(text: str) -> str:
    """Text without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _normalise(word: str) -> str:
    """A word without case, accents, and the signs and spaces that tell nothing; yes, true and 1 are one word."""
    plain = _plain(word.casefold())
    bare = " ".join(re.sub(r"[\s_\-.,;:!'\"()\[\]]+", " ", plain).split())
    return _SYNONYMS.get(plain) or _SYNONYMS.get(bare) or bare or word


def _normal_codes(words: Any) -> np.ndarray:
    """A code for each word, the same for words that are the same once normalised."""
    return pd.factorize(np.array([_normalise(word) for word in words], dtype=object))[0]


def _is_chance(rows: np.ndarray, log_fits: float, tries: int) -> bool:
    """Whether random labels, `rows` of each, may well fit one of the rules tried, exp(log_fits) ways fitting each."""
    return bool(log_fits + np.log(tries) - _log_ways(rows) > np.log(_CHANCE))


def _log_ways(rows: np.ndarray) -> float:
    """log of n! / (n₁! … n_k!)."""
    return float(gammaln(rows.sum() + 1) - gammaln(rows + 1).sum())


def _recalls(cells: np.ndarray, values: int) -> np.ndarray:
    """Of rows by value and label: each label's recall, were each of the most frequent `values` to stand for one label.

    Of labels of enough rows only; one zero where those are fewer than two.
    """
    judged = cells[:, cells.sum(axis=0) >= _ROWS_A_LABEL]
    if judged.shape[1] < 2:
        return np.zeros(1)
    often = np.argsort(-cells.sum(axis=1), kind="stable")[:values]
    shares = (judged / judged.sum(axis=0))[often]
    return np.bincount(shares.argmax(axis=1), weights=shares.max(axis=1), minlength=judged.shape[1])


def _are_near(recalls: np.ndarray) -> bool:
    return bool(recalls.mean() >= _MEAN_RECALL and recalls.min() >= _MIN_RECALL)


def _are_apart(numbers: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Of numbers of shape (rows, columns), whether no label's range, from each of `starts` on, overlaps another's."""
    low, high = np.fmin.reduceat(numbers, starts, axis=0), np.fmax.reduceat(numbers, starts, axis=0)
    order = np.argsort(low, axis=0)
    apart = np.take_along_axis(low, order, 0)[1:] > np.take_along_axis(high, order, 0)[:-1]
    return np.asarray(apart.all(axis=0))


def _separate(numbers: np.ndarray, labels: _Labels, rows_a_label: int, tries: int) -> bool:
    """Whether as many intervals as there are labels, and enough rows in each, tell them apart without an error."""
    filled = ~np.isnan(numbers)
    _, starts, rows = np.unique(labels.codes[filled], return_index=True, return_counts=True)
    if filled.mean() < _FILLED or len(rows) < 2 or rows.min() < rows_a_label:
        return False
    chance = _is_chance(rows, gammaln(len(rows) + 1), tries)
    return not chance and bool(_are_apart(numbers[filled, None], starts)[0])


def _cut(numbers: np.ndarray, labels: _Labels) -> np.ndarray:
    """Rows by interval and label, of shape (intervals, labels): as many intervals as labels, as a tree cuts them."""
    filled = ~np.isnan(numbers)
    tree = DecisionTreeClassifier(max_leaf_nodes=len(labels.names), class_weight="balanced", random_state=0)
    ranks = rankdata(numbers[filled], method="dense")[:, None]  # trees take no number beyond float32
    intervals = np.full(len(numbers), -1)
    intervals[filled] = pd.factorize(tree.fit(ranks, labels.codes[filled]).apply(ranks))[0]
    return labels.cross(intervals)


def _is_filled_by_label(column: _Column) -> str | None:
    labels, cells = column.labels, column.by_filled
    empty, filled = cells.sum(axis=1)
    if min(empty, filled) < _ROWS_A_VALUE:
        return None
    if np.count_nonzero(cells) == 2 and not _is_chance(labels.rows, np.log(2), labels.columns):
        return f"it is filled for one label only ({filled:,} rows) and empty for the other"
    if _are_near(recalls := _recalls(cells, 2)):
        return f"whether it is filled ({filled:,} rows) or empty ({empty:,}) gives {recalls.mean():.0%} of the labels"
    for rows, word in ((cells[1], "filled"), (cells[0], "empty")):
        label, total = int(rows.argmax()), rows.sum()
        own = labels.rows[label]
        fits = _log_ways(np.array([total, own - total])) if rows[label] == total else np.inf
        if total >= 0.5 * own and not _is_chance(cells.sum(axis=1), fits, 2 * labels.columns):
            return f"it is {word} for {shorten(labels.names[label], 20)} only ({total:,} of its {own:,} rows)"
    return None


def _has_one_label_a_value(column: _Column) -> str | None:
    labels = column.labels
    for codes, aside in ((column.codes, ""), (column.tidy, ", however written,")):
        values, total = codes.max() + 1, np.count_nonzero(codes >= 0)
        if total < _ROWS_A_VALUE * values and values > len(labels.names):
            continue
        cells = labels.cross(codes)
        rows = cells.sum(axis=0)
        present = np.count_nonzero(rows)
        if np.count_nonzero(cells) > values or present < 2 or (total < _ROWS_A_VALUE * values and present < values):
            continue
        if not _is_chance(rows, values * np.log(present), labels.columns):
            return f"each of its {values} values{aside} comes with one label only, in all {total:,} rows"
    return None


def _is_cut_into_labels(column: _Column) -> str | None:
    if column.numbers is None or not _separate(column.numbers, column.labels, _ROWS_A_VALUE, column.labels.columns):
        return None
    rows, noun = np.count_nonzero(~np.isnan(column.numbers)), "dates" if column.kind == "date" else "numbers"
    return f"cutting its {noun} at a few points gives the label of all {rows:,} rows"


def _has_one_number_a_label(column: _Column) -> str | None:
    """Numbers that lie near one number a label, as an affine transform of the target's does, be it rounded or noisy."""
    if column.numbers is None:
        return None
    filled = ~np.isnan(column.numbers)
    numbers, codes = column.numbers[filled], column.labels.codes[filled]
    rows = np.bincount(codes)
    often, present = np.flatnonzero(rows >= _ROWS_A_LABEL), np.flatnonzero(rows)
    recalls = _shares_near_median(numbers, codes, often)
    if not _are_near(recalls):
        if len(often) == len(present) or _is_chance(rows, gammaln(len(present) + 1), column.labels.columns):
            return None
        recalls = _shares_near_median(numbers, codes, present)
        if recalls.min() < 1:
            return None
    return f"its numbers lie near one number for each label, in {recalls.mean():.0%} of {len(codes):,} rows"


def _shares_near_median(numbers: np.ndarray, codes: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """For each judged label the share of its rows that lie near its median; one zero of fewer than two labels."""
    if len(judged) < 2:
        return np.zeros(1)
    own = [numbers[codes == code] for code in judged]
    medians = np.array([np.median(each) for each in own])
    gaps = np.abs(medians[:, None] - medians) + np.diag(np.full(len(medians), np.inf))
    near = zip(own, medians, _NEAR * gaps.min(axis=1), strict=True)
    return np.array([np.mean(np.abs(each - median) < limit) for each, median, limit in near])


def _has_nearly_one_label_a_value(column: _Column) -> str | None:
    if column.values * _ROWS_A_VALUE > len(column.codes):
        return None
    recalls = _recalls(column.labels.cross(column.tidy), 2 * len(column.labels.names))
    if not _are_near(recalls):
        return None
    return (
        f"its values give the label of {recalls.mean():.0%} of the rows ({recalls.min():.0%} of a label's at the least)"
    )


def _sorts_like_target(column: _Column) -> str | None:
    """An id whose order keeps the labels apart; some noise is allowed, since an order has no business to know them."""
    labels = column.labels
    if column.numbers is None:
        return None
    if _separate(column.numbers, labels, _ROWS_A_VALUE, labels.columns):
        return f"sorted by it, the {len(labels.codes):,} rows fall into one block for each label"
    if np.count_nonzero(labels.rows >= _ROWS_A_LABEL) < 2:
        return None
    recalls = _recalls(_cut(column.numbers, labels), len(labels.names))
    if not _are_near(recalls):
        return None
    return f"sorted by it, the rows fall into one block for each label but for {1 - recalls.mean():.0%} of them"


def _name_speaks_of_outcome(column: _Column, target: str) -> str | None:
    """A date, or a cell filled for some labels rather than others, with a name known only after the outcome."""
    words, own, labels = _split_name(column.name), _split_name(target), column.labels
    joined = [first + second for first, second in itertools.pairwise(words)]
    telling = (own and set(own) <= set(words)) or any(map(_AFTER.fullmatch, words + joined))
    if _BEFORE & set(words) or not (telling or any(map(_MAYBE_AFTER.fullmatch, words))):
        return None
    filled = column.by_filled[1] / labels.rows
    judged = filled[labels.rows >= _ROWS_A_LABEL]
    goes_with_target = len(judged) > 1 and np.ptp(judged) >= 0.5
    if not goes_with_target and not (telling and column.kind == "date"):
        return None
    shares = [f"{share:.0%} of {shorten(labels.names[code], 20)}" for code, share in enumerate(filled)]
    shown = ", ".join(shares if len(shares) <= 4 else [*shares[:4], "…"])
    return f"by its name it is known only after the outcome (filled for {shown})"


def _split_name(name: str) -> list[str]:
    """The words of a name, lower case and without accents, be they joined by signs, spaces or capitals."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", _plain(name.replace("ß", "ss")))]


_Pairs = Iterator[tuple[_Column, _Column, str]]


def _find_pairs(columns: list[_Column], labels: _Labels) -> dict[str, str]:
    """Of each column that gives the target away together with another one: how."""
    numeric = [column for column in columns if column.numbers is not None]
    worded = [column for column in columns if column.numbers is None and len(labels.names) == 2]
    found: dict[str, str] = {}
    for one, other, how in itertools.chain(
        _pairs_of_values(columns, labels),
        _pairs_by_operation(numeric, _stack_numbers, labels, list(_OPERATIONS)),
        _pairs_by_operation(worded, _stack_words, labels, [_EQUAL]),
    ):
        found.setdefault(one.name, f"together with {other.name}: {how}")
        found.setdefault(other.name, f"together with {one.name}: {how}")
    return found


def _pairs_of_values(columns: list[_Column], labels: _Labels) -> _Pairs:
    """Pairs of columns of few values, each combination of which comes with one label, or nearly so."""
    few = [column for column in columns if 2 <= column.values <= _FEW_VALUES and column.strength < _ALONE_EXACT]
    few.sort(key=lambda column: column.values)
    sizes = np.cumsum([column.values for column in few])
    tried = few[: np.count_nonzero(sizes <= _MAX_PAIRED_VALUES)]
    if len(tried) < len(few):
        say(f"leaks in pairs of values were looked for among {len(tried):,} of {len(few):,} columns only.")
    if len(tried) < 2:
        return
    purity = np.triu(_purity_of_pairs(tried, labels), 1)
    likely = np.argwhere(purity >= _MIN_RECALL)
    likely = likely[np.argsort(-purity[tuple(likely.T)], kind="stable")]
    for i, j in _limit(likely):
        one, other = tried[i], tried[j]
        together = np.where((one.tidy < 0) | (other.tidy < 0), -1, one.tidy * other.values + other.tidy)
        noisy = max(one.strength, other.strength) < _ALONE_NOISY
        if how := _combinations_give_label(together, labels, len(tried) ** 2, noisy):
            yield one, other, how


def _purity_of_pairs(columns: list[_Column], labels: _Labels) -> np.ndarray:
    """Of shape (columns, columns): the share of rows with their combination's main label, all labels weighing alike.

    Zero where a combination has too few rows.
    """
    sample = labels.sample(_ROWS_TO_SCREEN_VALUES)
    starts = np.cumsum([0, *(column.values for column in columns[:-1])])
    ones = np.hstack([column.tidy[sample, None] == np.arange(column.values) for column in columns]).astype(np.float32)
    best = total = np.zeros((ones.shape[1], ones.shape[1]), np.float32)
    for code in range(len(labels.names)):
        mine = ones[labels.codes[sample] == code]
        cells = mine.T @ mine / len(mine)
        best, total = np.maximum(best, cells), total + cells
    best, total, used = (
        np.add.reduceat(np.add.reduceat(cells, starts, axis=0), starts, axis=1)
        for cells in (best, total, (total > 0).astype(np.float32))
    )
    return np.where(used * _ROWS_A_VALUE <= len(labels.codes), best / np.maximum(total, 1e-9), 0)


def _combinations_give_label(values: np.ndarray, labels: _Labels, tries: int, noisy: bool) -> str | None:
    cells = labels.cross(values)
    cells = cells[cells.sum(axis=1) > 0]
    rows, k = cells.sum(axis=0), len(labels.names)
    if rows.sum() < max(_FILLED * len(values), _ROWS_A_VALUE * len(cells)) or rows.min() < _ROWS_A_LABEL:
        return None
    if np.count_nonzero(cells) == len(cells) and not _is_chance(rows, len(cells) * np.log(k), tries):
        return f"each of their {len(cells)} combinations comes with one label only, in all {rows.sum():,} rows"
    if not noisy or not _are_near(recalls := _recalls(cells, k * k)):
        return None
    return f"their {len(cells)} combinations give the label of {recalls.mean():.0%} of the rows"


def _pairs_by_operation(
    columns: list[_Column], stack: Callable[..., np.ndarray], labels: _Labels, operations: list[str]
) -> _Pairs:
    """Pairs of columns, one of the operations on which parts the labels without an error."""
    tried = columns[:_MAX_PAIRED_COLUMNS]
    if len(tried) < len(columns):
        say(f"leaks in pairs were looked for among the first {len(tried):,} of {len(columns):,} columns only.")
    if len(tried) < 2:
        return
    sample = labels.sample(_ROWS_TO_SCREEN_OPERATIONS, most=4)
    starts = np.unique(labels.codes[sample], return_index=True)[1]
    tries = len(operations) * len(tried) ** 2
    for i, j, operation in _limit(_screen(stack(tried, sample), starts, operations)):
        one, other = tried[i], tried[j]
        how = _operation_gives_label(stack([one, other], slice(None)), operation, labels, tries)
        if how and max(one.strength, other.strength) < _ALONE_OPERATION:
            yield one, other, how


def _limit(likely: Iterable[Any]) -> Iterator[Any]:
    """The first few of the pairs that passed the screen; says so where there are more."""
    pairs = iter(likely)
    yield from itertools.islice(pairs, _MAX_CONFIRMED)
    if next(pairs, None) is not None:
        say(f"more than {_MAX_CONFIRMED} pairs of columns may be leaks; the others were not looked at.")


def _stack_numbers(columns: list[_Column], rows: Any) -> np.ndarray:
    """Of shape (rows, columns)."""
    return np.column_stack([column.numbers[rows] for column in columns if column.numbers is not None])


def _stack_words(columns: list[_Column], rows: Any) -> np.ndarray:
    """Of shape (rows, columns): a number for each normalised word, the same in all columns, NaN where missing."""
    cells = [np.append(column.words, [None])[column.codes[rows]] for column in columns]
    codes, words = pd.factorize(np.concatenate(cells))
    return np.append(_normal_codes(words), np.nan)[codes].reshape(len(columns), -1).T


def _screen(matrix: np.ndarray, starts: np.ndarray, operations: list[str]) -> Iterator[tuple[int, int, str]]:
    """Two places of columns and an operation, wherever it keeps the labels of the sample apart."""
    for i, operation in itertools.product(range(matrix.shape[1] - 1), operations):
        results = _operate(operation, matrix[:, [i]], matrix[:, i + 1 :])
        for j in np.flatnonzero(_are_apart(results, starts)):
            yield i, i + 1 + int(j), operation


def _operate(operation: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_OPERATIONS[operation](one, other))


def _operation_gives_label(pair: np.ndarray, operation: str, labels: _Labels, tries: int) -> str | None:
    results = _operate(operation, pair[:, 0], pair[:, 1])
    if not _separate(results, labels, _ROWS_A_LABEL, tries):
        return None
    cut = "" if operation == _EQUAL else ", cut at a few points,"
    return f"{operation}{cut} gives the label of all {np.count_nonzero(~np.isnan(results)):,} rows"
