"""What a person should know of how a column was read: sentences without a full stop, to follow its name."""

import json
import re

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import ProfileColumn
from loramake.tables.dates import choose_date_style, read_date
from loramake.tables.numbers import are_codes, choose_number_style, read_number, to_numbers
from loramake.text import listed

_YAML_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
_MOST_ZEROS = 0.5
_LEAST_ZEROS = 3
_GAP = 5
_NEARLY_ALL = 0.5
_MIN_ROWS = 20


def describe_reading(column: ProfileColumn) -> list[str]:
    """How its cells were read, where that is not plain to see."""
    return [
        *_describe_numbers(column),
        *_describe_dates(column),
        *_describe_flags(column),
        *_describe_missing(column),
    ]


def _describe_numbers(column: ProfileColumn) -> list[str]:
    style = column["number_style"]
    sentences: list[str] = []
    if style is None:
        return sentences
    if style["kind"] == "duration":
        sentences.append("read as durations, in seconds")
    elif style["unit"] is not None:
        sentences.append(f"read as numbers with the unit {style['unit']!r}")
    signs = [f"decimal separator {style['decimal']!r}"] if style["decimal"] != "." else []
    signs += [f"thousands separator {style['thousands']!r}"] if style["thousands"] else []
    if signs:
        sentences.append(f"numbers are written with the {' and the '.join(signs)}")
    if column["bounds"]:
        sentences.append(f"{_cells(column['bounds'])} such as '<40' read as the bound itself")
    return sentences


def _describe_dates(column: ProfileColumn) -> list[str]:
    order = column["date_style"]
    if order is None or order["day_first"] is None:
        return []
    first = "day" if order["day_first"] else "month"
    if order["is_assumed"]:
        return [f"dates are read with the {first} first, though no cell shows the order: write them as 2024-01-31"]
    return [f"dates are read with the {first} first"]


def _describe_flags(column: ProfileColumn) -> list[str]:
    flags = column["flags"]
    if flags is None or not column["respelled"]:
        return []
    words = [f"{entry['value']!r} ({_cells(entry['rows'])})" for entry in column["respelled"]]
    return [
        f"{listed(words, 10)} read as {flags['yes']!r} or {flags['no']!r}, whichever means the same (not of a target)"
    ]


def _describe_missing(column: ProfileColumn) -> list[str]:
    sentences: list[str] = []
    if column["missing_words"]:
        words = [f"{entry['value']!r} ({_cells(entry['rows'])})" for entry in column["missing_words"]]
        sentences.append(f"read as missing: {listed(words)}")
    if column["kept_words"] and column["missing_by"] == "words":
        kept = listed([repr(word) for word in column["kept_words"]])
        listing = ", ".join(map(_as_yaml, column["kept_words"]))
        sentences.append(
            f"{kept} kept as a category; if it stands for a missing cell, set "
            f"missing_values: {{{_as_yaml(column['name'])}: [{listing}]}}"
        )
    if column["words"]:
        kind = "dates" if column["type"] == "date" else "numbers"
        sentences.append(f"{_cells(column['words'])} not {kind}, which stay words")
    return sentences


def _as_yaml(text: str) -> str:
    """A text as YAML's flow style takes it: in quotes if it could be read as something else."""
    is_plain = re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII) and text.lower() not in _YAML_WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"


def find_warnings(column: ProfileColumn, filled: "pd.Series[str]", is_declared: bool) -> list[str]:
    """What may have been read wrongly, each with the setting that answers it; nothing about a declared type."""
    name = _as_yaml(column["name"])
    warnings: list[str] = []
    if column["type"] == "numeric" and (zeros := _suspicious_zeros(filled)):
        rows, least = zeros
        warnings.append(
            f"0 in {rows:,} rows, and no other value below {least:g}; if 0 stands for a missing cell, set "
            f"missing_values: {{{name}: [0]}}"
        )
    if is_declared:
        return warnings
    if column["type"] in ("categorical", "text") and (mixed := _describe_mixture(filled)) is not None:
        cells, kind = mixed
        warnings.append(
            f"{cells:,} of {len(filled):,} cells are {kind}s, too few for a column of {kind}s; if it is one, set "
            f"column_types: {{{name}: {'numeric' if kind == 'number' else 'date'}}}"
        )
    elif column["type"] == "categorical" and _is_nearly_unique(column, len(filled)):
        warnings.append(
            f"{column['distinct']:,} categories in {len(filled):,} rows; if it is text, set column_types: "
            f"{{{name}: text}}, or id to leave it out"
        )
    if column["type"] == "id" and column["number_style"] is not None:
        warnings.append(
            f"every row has its own whole number, so it is left out; if it is a quantity, set column_types: "
            f"{{{name}: numeric}}"
        )
    return warnings


def _describe_mixture(filled: "pd.Series[str]") -> tuple[int, str] | None:
    """How many cells are numbers, or dates, where at least half of them are; None for other columns."""
    counts = filled.value_counts()
    if are_codes(counts):
        return None
    if (style := choose_number_style(counts, _NEARLY_ALL)) is not None:
        numbers = {cell for cell in counts.index if read_number(str(cell), style) is not None}
        return int(counts[counts.index.isin(numbers)].sum()), "number"
    if (dates := choose_date_style(counts, _NEARLY_ALL)) is not None:
        return int(sum(rows for cell, rows in counts.items() if read_date(str(cell), dates) is not None)), "date"
    return None


def _is_nearly_unique(column: ProfileColumn, rows: int) -> bool:
    return rows >= _MIN_ROWS and column["distinct"] >= _NEARLY_ALL * rows


def _suspicious_zeros(filled: "pd.Series[str]") -> tuple[int, float] | None:
    """How many numbers are 0, and the least other one, if these are far from 0 for how close to each other they are."""
    numbers = to_numbers(filled).dropna().to_numpy()
    zeros = int((numbers == 0).sum())
    others = np.unique(numbers[numbers != 0])
    if zeros < _LEAST_ZEROS or zeros > _MOST_ZEROS * len(numbers) or len(others) < 3 or others[0] < 0:
        return None
    return (zeros, float(others[0])) if others[0] > _GAP * float(np.median(np.diff(others))) else None
