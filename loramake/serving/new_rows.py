"""New rows as text cells like those of training: from a DataFrame, from JSON, from a CSV in batches.

Knows columns and cells; knows nothing of models. If known, numbers are written as in the training CSV, since 3.0 and 3
make different prompts.
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
    """The features, in the plan's order."""
    others: tuple[str, ...]
    """The columns that the plan dropped: training saw them but does not use them."""
    target: str
    decimals: Mapping[str, str]
    """The decimal separator of each numeric feature."""
    usual: Mapping[str, frozenset[str]]
    """The most frequent cells of every other feature."""
    numbers: Mapping[str, NumberStyle] = field(default_factory=dict)
    """The number style of each feature with nothing but numbers in the CSV."""
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """All cells in the CSV, shortened, of each feature with few categories."""

    @classmethod
    def of(cls, plan: Plan, profile: Profile) -> "Columns":
        """From plan.yaml and profile.json."""
        styles = {feature["name"]: feature["number_style"] for feature in plan["features"]}
        top_values = {column["name"]: column["top_values"] for column in profile["columns"]}
        features = [column for column in profile["columns"] if column["name"] in styles]
        return cls(
            tuple(styles),
            tuple(entry["name"] for entry in plan["dropped"]),
            plan["target"],
            {name: style["decimal"] for name, style in styles.items() if style},
            {
                name: frozenset(entry["value"] for entry in top_values.get(name) or [])
                for name, style in styles.items()
                if not style
            },
            {
                column["name"]: NumberStyle(**column["number_style"])
                for column in features
                if column["words"] == 0 and column["number_style"] is not None
            },
            {
                column["name"]: frozenset(entry["value"] for entry in column["top_values"])
                for column in features
                if column["type"] in ("categorical", "boolean") and len(column["top_values"]) == column["distinct"]
            },
        )

    def align(self, names: Sequence[str], where: str) -> list[str]:
        """The names, with those that differ from a feature's only in case or spaces replaced by it.

        DataError, with the nearest name, if a feature is missing or repeated.
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
        seen = {*self.features, *self.others, self.target}
        return [name for name in dict.fromkeys(names) if name not in seen]

    def unlike(self, table: pd.DataFrame) -> Counter[str]:
        """By feature, how many of these text cells are unlike all in the CSV: not numbers, or new categories."""
        filled = {name: table[name].dropna() for name in self.features}
        words = {name: to_numbers(filled[name], style).isna() for name, style in self.numbers.items()}
        new = {name: ~filled[name].map(shorten).isin(cells) for name, cells in self.categories.items()}
        return Counter({name: int(odd.sum()) for name, odd in {**words, **new}.items()})

    def only(self, table: pd.DataFrame) -> pd.DataFrame:
        """The features of a table of text cells."""
        columns = {name: table[name].to_numpy() for name in self.features}
        return pd.DataFrame(columns, index=range(len(table)), dtype=object)

    def as_text(self, table: pd.DataFrame, where: str, first: int = 0) -> pd.DataFrame:
        """`only` of a table of any cells; DataError for a cell that is no single value, rows counted from `first`.

        The table's columns are named as by `align`.
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
            raise DataError(f"{where}: the column {name!r} contains a {kind}: give it one text or one number.")
        frequent = self.usual.get(name, ())
        text = next((wording for wording in wordings if wording in frequent), wordings[0]).strip()
        if not isinstance(value, str) and name in self.decimals:
            text = text.replace(".", self.decimals[name])
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
            raise DataError(f"{where}: the column {name!r} contains a character that no text file can: fix that cell.")
        return None if text in MISSING else text


def _wordings(value: Any) -> tuple[str, ...] | None:
    """How a CSV may write a value, most likely first; None if it is not a single value."""
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
    """Rows to predict, in batches, so that a long table is never in memory as a whole."""

    where: str
    """The name of their source in errors."""
    form: str
    """csv or jsonl."""
    sha256: str
    """Hash of their source."""
    count: int
    names: list[str]
    """All columns that occur in it, as named by `Columns.align`."""
    batches: Callable[[int], Iterator[pd.DataFrame]]
    """Tables of so many rows each, the last one possibly shorter, as from `Columns.only`."""


def open_csv(path: Path, columns: Columns) -> Rows:
    """The rows of a CSV; DataError, before the first batch, if the file is not a CSV or lacks a column."""
    if not path.exists():
        raise DataError(f"{path} does not exist: give --csv the path of a table with a header.")
    dialect = sniff(path)
    names = columns.align(check_shape(path, dialect), str(path))

    def read(size: int, columns_read: list[str]) -> Iterator[pd.DataFrame]:
        options = {**how_to_read(dialect, names), "usecols": columns_read}
        with pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, chunksize=size, **options) as chunks:
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
    """The rows of a file with one JSON object per line; DataError, with the line, before the first batch."""

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
    value = _parsed(data, "--json", 'give an object, such as {"age": 40}, or a list of them')
    objects = value if isinstance(value, list) else [value]
    digest = hashlib.sha256(data).hexdigest()
    return _rows_of_objects(lambda: iter(objects), "--json", digest, columns)


@contextlib.contextmanager
def open_standard_input(columns: Columns, folder: Path, form: str | None) -> Iterator[Rows]:
    """The rows of standard input, in the format `form` (csv or jsonl), which is detected if None.

    They are stored in `folder` meanwhile: a CSV is checked completely before its first row is predicted.
    """
    if sys.stdin.isatty():
        say("reading rows from the terminal; end them with Ctrl-D.")
    with private_folder(folder) as private:
        path = private / "input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        open_file = {"csv": open_csv, "jsonl": open_json_lines}[form or _find_form(path)]
        try:
            yield dataclasses.replace(open_file(path, columns), where=_STANDARD_INPUT)
        except DataError as error:
            raise DataError(str(error).replace(str(path), _STANDARD_INPUT)) from error


def _find_form(path: Path) -> str:
    """JSON lines if the first character is a brace or bracket, else CSV."""
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
    return "jsonl" if start[:1] in (b"{", b"[") else "csv"


def _parsed_line(line: bytes, where: str) -> Any:
    request = 'give one object a line, such as {"age": 40} (--json takes a list of them)'
    if len(line) > LONGEST_LINE:
        raise DataError(f"{where} is longer than {shown_size(LONGEST_LINE)}: {request}.")
    value = _parsed(line, where, request)
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object but a {type(value).__name__}: {request}.")
    return value


def _parsed(data: bytes, where: str, request: str) -> Any:
    """The value of JSON; DataError, which ends with `request`, if it is not JSON or repeats a key."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        by_key = dict(pairs)
        if len(by_key) < len(pairs):
            name, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return by_key

    try:
        return parse_json(data, pairs=checked, takes_nan=True)
    except EncodingError as error:
        raise DataError(f"{where} is not written in UTF-8: save it as UTF-8.") from error
    except ParsingError as error:
        raise DataError(f"{where} is not valid JSON ({str(error).removeprefix('line 1: ')}): {request}.") from error


def _rows_of_objects(read: Callable[[], Iterator[Any]], where: str, digest: str, columns: Columns) -> Rows:
    """Reads everything once, so that an error in any object is raised before the first is predicted."""
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
        raise DataError(f"{where} contains no object: give one for each row.")
    return Rows(where, "jsonl", digest, count, list(seen), batches)


def table_of_objects(
    objects: Sequence[Any], columns: Columns, where: str, first: int = 0
) -> tuple[pd.DataFrame, list[str]]:
    """Objects as a table of text cells, and all names in them; DataError, rows counted from `first`, as in `align`.

    An absent key is a missing column, which is an error; null is a missing cell.
    """
    aligned: dict[tuple[str, ...], list[str]] = {}
    rows = []
    for row, entry in enumerate(objects, first):
        if not isinstance(entry, Mapping):
            raise DataError(f"{where}, row {row} is not a JSON object but a {type(entry).__name__}: name its columns.")
        keys = tuple(map(str, entry))
        if keys not in aligned:
            aligned[keys] = columns.align(keys, f"{where}, row {row}")
        rows.append(dict(zip(aligned[keys], entry.values(), strict=True)))
    cells = {name: pd.Series([entry[name] for entry in rows], dtype=object) for name in columns.features}
    names = dict.fromkeys(itertools.chain.from_iterable(aligned.values()))
    return columns.as_text(pd.DataFrame(cells), where, first), list(names)
