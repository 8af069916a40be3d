"""New rows as the text cells that an experiment learnt from: of a DataFrame, of JSON, of a CSV in batches.

Knows columns and cells; knows nothing of models. A number is written as the training CSV wrote it, as far as that is
known, since a prompt that reads 3.0 is another one than a prompt that reads 3.
"""

import codecs
import contextlib
import dataclasses
import datetime
import decimal
import hashlib
import itertools
import math
import numbers
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loramake import artifacts
from loramake.artifact_types.explore import Profile
from loramake.artifact_types.prepare import Plan
from loramake.console import say
from loramake.errors import DataError, nearest
from loramake.parsing import EncodingError, ParsingError, shown_size
from loramake.parsing.json_text import LONGEST_LINE, parse_json
from loramake.private_folder import private_folder
from loramake.tables.numbers import NumberStyle, to_numbers
from loramake.tables.reading import MISSING, align_names, blank_missing, check_shape, how_to_read, sniff
from loramake.text import shorten

_LINES_AT_ONCE = 2000
_STANDARD_INPUT = "standard input"
_TRUE, _FALSE = ("True", "true", "TRUE", "1", "1.0"), ("False", "false", "FALSE", "0", "0.0")


@dataclass(frozen=True)
class Columns:
    """The columns of an experiment, and how its CSV wrote their cells."""

    features: tuple[str, ...]
    """What the prompt is made of, in the plan's order."""
    others: tuple[str, ...]
    """What training saw and does not read: the columns that the plan dropped."""
    target: str
    decimals: Mapping[str, str]
    """The decimal sign of each feature of numbers."""
    usual: Mapping[str, frozenset[str]]
    """The most frequent cells of every other feature."""
    numbers: Mapping[str, NumberStyle] = field(default_factory=dict)
    """How the CSV wrote the numbers of each feature that it held nothing else of."""
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """All cells, shortened, that the CSV held of each feature of few categories."""

    @classmethod
    def of(cls, plan: Plan, profile: Profile) -> "Columns":
        """From plan.yaml and profile.json."""
        styles = {feature["name"]: feature["number_style"] for feature in plan["features"]}
        tops = {column["name"]: column["top_values"] for column in profile["columns"]}
        features = [column for column in profile["columns"] if column["name"] in styles]
        return cls(
            tuple(styles),
            tuple(entry["name"] for entry in plan["dropped"]),
            plan["target"],
            {name: style["decimal"] for name, style in styles.items() if style},
            {
                name: frozenset(top["value"] for top in tops.get(name) or [])
                for name, style in styles.items()
                if not style
            },
            {
                column["name"]: NumberStyle(**column["number_style"])
                for column in features
                if column["words"] == 0 and column["number_style"] is not None
            },
            {
                column["name"]: frozenset(top["value"] for top in column["top_values"])
                for column in features
                if column["type"] in ("categorical", "boolean") and len(column["top_values"]) == column["distinct"]
            },
        )

    def align(self, names: Sequence[str], where: str) -> list[str]:
        """The names, those that differ from a feature's in case or spaces alone written as it.

        DataError, with the nearest name, where a feature is missing or stands twice.
        """
        aligned = align_names(names, self.features)
        for name in self.features:
            if name not in aligned:
                near = nearest(name, [other for other in aligned if other not in self.features])
                raise DataError(
                    f"{where} lacks the column {name!r}{near}, which the model was trained on: add it, empty where "
                    "unknown."
                )
            if aligned.count(name) > 1:
                raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return aligned

    def unknown(self, names: Iterable[str]) -> list[str]:
        """The names that training never saw."""
        known = {*self.features, *self.others, self.target}
        return [name for name in dict.fromkeys(names) if name not in known]

    def unlike(self, table: pd.DataFrame) -> Counter[str]:
        """By feature, how many of these text cells are unlike all of the CSV's: no numbers, or new categories."""
        filled = {name: table[name].dropna() for name in self.features}
        words = {name: to_numbers(filled[name], style).isna() for name, style in self.numbers.items()}
        new = {name: ~filled[name].map(shorten).isin(known) for name, known in self.categories.items()}
        return Counter({name: int(odd.sum()) for name, odd in {**words, **new}.items()})

    def only(self, table: pd.DataFrame) -> pd.DataFrame:
        """The features of a table of text cells."""
        columns = {name: table[name].to_numpy() for name in self.features}
        return pd.DataFrame(columns, index=range(len(table)), dtype=object)

    def as_text(self, table: pd.DataFrame, where: str, first: int = 0) -> pd.DataFrame:
        """`only` of a table of any cells; DataError for a cell that is no single value, its row counted from `first`.

        The table's columns are named as `align` names them.
        """
        columns = {
            name: [self._text(name, value, f"{where}, row {row}") for row, value in enumerate(table[name], first)]
            for name in self.features
        }
        return self.only(pd.DataFrame(columns, index=range(len(table)), dtype=object))

    def _text(self, name: str, value: Any, where: str) -> str | None:
        wordings = _wordings(value)
        if wordings is None:
            kind = type(value).__name__
            raise DataError(f"{where}: the column {name!r} holds a {kind}: give it one text or one number.")
        usual = self.usual.get(name, ())
        text = next((wording for wording in wordings if wording in usual), wordings[0]).strip()
        if not isinstance(value, str) and name in self.decimals:
            text = text.replace(".", self.decimals[name])
        if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text):
            raise DataError(f"{where}: the column {name!r} holds a sign that no text file can hold: mend that cell.")
        return None if text in MISSING else text


def _wordings(value: Any) -> tuple[str, ...] | None:
    """How a CSV may write a value, the likeliest first; None where it is no single value."""
    if isinstance(value, str):
        return (value,)
    if value is None or value is pd.NA or value is pd.NaT:
        return ("",)
    if isinstance(value, bool | np.bool_):
        return _TRUE if value else _FALSE
    if isinstance(value, numbers.Integral):
        return str(int(value)), f"{int(value)}.0"
    if isinstance(value, numbers.Real | decimal.Decimal):
        if not math.isfinite(value):
            return ("",) if math.isnan(value) else (str(value),)
        whole = math.floor(value)
        return (str(whole), f"{whole}.0") if value == whole else (str(value),)
    if isinstance(value, datetime.datetime):  # pandas' Timestamp too
        day = value.time() == datetime.time()
        return (value.date().isoformat(),) if day else (value.isoformat(sep=" "),)
    return (value.isoformat(),) if isinstance(value, datetime.date) else None


@dataclass(frozen=True)
class Rows:
    """Rows to predict, given in batches, so that a long table never is in memory whole."""

    where: str
    """How errors call their source."""
    form: str
    """csv or jsonl."""
    sha256: str
    """Of what they are read from."""
    count: int
    names: list[str]
    """All columns that stand somewhere in it, as `Columns.align` names them."""
    batches: Callable[[int], Iterator[pd.DataFrame]]
    """Tables of so many rows each, the last one of fewer, as `Columns.only` gives them."""


def open_csv(path: Path, columns: Columns) -> Rows:
    """The rows of a CSV; DataError, before any row is given, for a file that is none and for a column it lacks."""
    if not path.exists():
        raise DataError(f"{path} is not there: give --csv the path of a table with a header.")
    dialect = sniff(path)
    names = columns.align(check_shape(path, dialect), str(path))

    def read(size: int, only: list[str]) -> Iterator[pd.DataFrame]:
        how = {**how_to_read(dialect, names), "usecols": only}
        with pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, chunksize=size, **how) as chunks:
            yield from chunks

    count = sum(map(len, read(_LINES_AT_ONCE, names[:1])))
    if not count:
        raise DataError(f"{path} has a header and no rows: add rows.")
    features = [name for name in names if name in columns.features]
    return Rows(
        str(path),
        "csv",
        artifacts.sha256(path),
        count,
        names,
        lambda size: map(columns.only, map(blank_missing, read(size, features))),
    )


def open_json_lines(path: Path, columns: Columns) -> Rows:
    """The rows of a file of JSON objects, one a line; DataError, with the line, before any row is given."""

    def read() -> Iterator[Any]:
        with path.open("rb") as file:
            for number in itertools.count(1):
                line = file.readline(LONGEST_LINE + 1)
                if not line:
                    return
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if line.strip():
                    yield _parsed_line(line, f"{path}: line {number}")

    return _rows_of_objects(read, str(path), artifacts.sha256(path), columns)


def open_objects(text: str, columns: Columns) -> Rows:
    """The rows of the option --json: one object, or a list of them."""
    data = text.encode("utf-8", "surrogateescape")
    found = _parsed(data, "--json", 'give an object, such as {"age": 40}, or a list of them')
    objects = found if isinstance(found, list) else [found]
    digest = hashlib.sha256(data).hexdigest()
    return _rows_of_objects(lambda: iter(objects), "--json", digest, columns)


@contextlib.contextmanager
def open_standard_input(columns: Columns, folder: Path, form: str | None) -> Iterator[Rows]:
    """The rows of standard input, in the format `form` (csv or jsonl), which is looked for where it is None.

    They are kept in `folder` meanwhile: a CSV is looked at whole before its first row is predicted.
    """
    if sys.stdin.isatty():
        say("reading rows from the terminal; Ctrl-D ends them.")
    with private_folder(folder) as place:
        path = place / "input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        opened = {"csv": open_csv, "jsonl": open_json_lines}[form or _find_form(path)]
        try:
            yield dataclasses.replace(opened(path, columns), where=_STANDARD_INPUT)
        except DataError as error:
            raise DataError(str(error).replace(str(path), _STANDARD_INPUT)) from error


def _find_form(path: Path) -> str:
    """JSON lines where the first sign is a brace or bracket, else CSV."""
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
    return "jsonl" if start[:1] in (b"{", b"[") else "csv"


def _parsed_line(line: bytes, where: str) -> Any:
    ask = 'give one object a line, such as {"age": 40} (--json takes a list of them)'
    if len(line) > LONGEST_LINE:
        raise DataError(f"{where} is longer than {shown_size(LONGEST_LINE)}: {ask}.")
    found = _parsed(line, where, ask)
    if not isinstance(found, dict):
        raise DataError(f"{where} is not a JSON object but a {type(found).__name__}: {ask}.")
    return found


def _parsed(data: bytes, where: str, ask: str) -> Any:
    """What the JSON says; DataError, which asks for something else, for what is none and for a key given twice."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            name, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return found

    try:
        return parse_json(data, pairs=checked, takes_nan=True)
    except EncodingError as error:
        raise DataError(f"{where} is not written in UTF-8: save it as UTF-8.") from error
    except ParsingError as error:
        raise DataError(f"{where} is not valid JSON ({str(error).removeprefix('line 1: ')}): {ask}.") from error


def _rows_of_objects(read: Callable[[], Iterator[Any]], where: str, digest: str, columns: Columns) -> Rows:
    """Reads all once, so that what is wrong with any object is said before the first is predicted."""
    seen: dict[str, None] = {}

    def batches(size: int) -> Iterator[pd.DataFrame]:
        objects, first = read(), 0
        while batch := list(itertools.islice(objects, size)):
            table, names = table_of_objects(batch, columns, where, first)
            seen.update(dict.fromkeys(names))
            yield table
            first += len(batch)

    count = sum(map(len, batches(_LINES_AT_ONCE)))
    if not count:
        raise DataError(f"{where} holds no object: give one for each row.")
    return Rows(where, "jsonl", digest, count, list(seen), batches)


def table_of_objects(
    objects: Sequence[Any], columns: Columns, where: str, first: int = 0
) -> tuple[pd.DataFrame, list[str]]:
    """Objects as a table of text cells, and all names in them; DataError, rows counted from `first`, as in `align`.

    A key that is absent is a missing column, said so; null is a missing cell.
    """
    aligned: dict[tuple[str, ...], list[str]] = {}
    found = []
    for row, one in enumerate(objects, first):
        if not isinstance(one, Mapping):
            raise DataError(f"{where}, row {row} is not a JSON object but a {type(one).__name__}: name its columns.")
        keys = tuple(map(str, one))
        if keys not in aligned:
            aligned[keys] = columns.align(keys, f"{where}, row {row}")
        found.append(dict(zip(aligned[keys], one.values(), strict=True)))
    cells = {name: pd.Series([one[name] for one in found], dtype=object) for name in columns.features}
    names = dict.fromkeys(itertools.chain.from_iterable(aligned.values()))
    return columns.as_text(pd.DataFrame(cells), where, first), list(names)
