"""The type of a column, as a person would name it. Knows nothing of targets."""

import re

import pandas as pd

from loramake.artifact_types.explore import ColumnType
from loramake.tables.numbers import NumberStyle, find_number_style, to_numbers
from loramake.text import CELL_LENGTH

_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"0", "1"}, {"0.0", "1.0"})
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([ T]\d{1,2}:\d{2}.{0,40})?")
_ID_NAME = re.compile(
    r"(?i:(^|[_\W])(id|uuid|guid|key|index|number|no|nr|code|identifier)$)"
    r"|(?i:^(id|uuid|guid|index)([_\W]|$))|[a-z](Id|ID|Index)$"
)
_CODE = re.compile(r"(?=.*[A-Za-z])\S+")
_MIN_ROWS_OF_ID = 20


def find_type(column: "pd.Series[str]") -> ColumnType:
    """numeric, categorical, boolean, date, text, id or constant."""
    filled = column.dropna()
    return find_type_and_style(column, filled, filled.nunique())[0]


def find_type_and_style(
    column: "pd.Series[str]", filled: "pd.Series[str]", distinct: int
) -> tuple[ColumnType, NumberStyle | None]:
    """The type, and the number style of a numeric column or an id of numbers.

    `filled` are the column's cells that are not missing, `distinct` is the number of distinct ones.
    """
    if distinct == 0 or (distinct == 1 and len(filled) == len(column)):
        return "constant", None
    if distinct == 2 and set(filled.str.lower().unique()) in _BOOLEANS:
        return "boolean", None
    style = find_number_style(filled)
    if _looks_like_id(str(column.name), filled, distinct):
        return "id", style
    if style is not None:
        return "numeric", style
    if filled.map(lambda cell: _DATE.fullmatch(cell) is not None).all():
        return "date", None
    return ("text" if _looks_like_text(filled, distinct) else "categorical"), None


def _looks_like_id(name: str, filled: "pd.Series[str]", distinct: int) -> bool:
    """Unique values, with a name that says so, whole numbers in sequence, or one-word codes."""
    if len(filled) < _MIN_ROWS_OF_ID or distinct < len(filled):
        return False
    numbers = to_numbers(filled)
    if numbers.notna().all():
        steps = numbers.diff().dropna().abs()
        return bool((numbers % 1 == 0).all() and ((steps == 1).all() or _ID_NAME.search(name)))
    if _DATE.fullmatch(filled.iloc[0]):
        return False
    return bool(_ID_NAME.search(name) or filled.map(lambda cell: _CODE.fullmatch(cell) is not None).all())


def _looks_like_text(filled: "pd.Series[str]", distinct: int) -> bool:
    """Several words per cell, and hardly any cell repeated; or cells too long for a category."""
    words = filled.str.split().str.len().mean()
    return bool((words >= 3 and distinct > 0.5 * len(filled)) or filled.str.len().median() > CELL_LENGTH)
