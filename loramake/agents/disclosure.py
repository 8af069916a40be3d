"""What an agent on another machine is shown of a table: as much as the user allows, little enough for a prompt.

Knows nothing of endpoints and prompts. Cells of columns that look like personal data are never shown.
"""

import re
from typing import Any

import pandas as pd

from loramake.artifact_types.explore import Profile, ProfileColumn
from loramake.text import shorten

LEVELS = ("names", "profile", "samples")
"""Of the setting agent_sees: each shows what the ones before it show, and more."""

_DETAILS, _NAMES, _ROWS = 4_500, 3_000, 2_000
"""Characters for described columns, for further columns by name, and for rows: 8,000 tokens with the prompt."""
LONGEST_CELL = 500
"""Characters of a cell in a prompt."""
_SAMPLE_ROWS = 5
_SHOWN_CELL = 40
_PATTERNS = {
    # From the start of a word on: a match attempt at each letter of a long one would take quadratic time.
    "e-mail": re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(\.[\w-]+)+"),
    "IBAN": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
    "SSN": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    "phone number": re.compile(
        r"(?<![\w.])(\+\d[\d ()/-]{7,}\d|\(?0\d{1,4}\)?[ /-]\d[\d ()/-]{4,}\d|\(?\d{3}\)?[ -]\d{3}-\d{4})\b"
    ),
}
_PERSONAL_NAMES = {
    "e-mail": r"e-?mail",
    "phone number": r"phone|mobile|telephone|fax",
    "IBAN": r"iban",
    "SSN": r"ssn|social.?security|passport|tax.?id",
    "name": r"(first|last|middle|sur|family|given|full|maiden|patient|customer|client|person|employee|user).?name|name",
    "address": r"(street|home|postal|mailing).?address|address|street",
}
_SHARE = 0.3
"""A column is personal where this share of its frequent values looks like it."""


def find_personal(profile: Profile) -> dict[str, str]:
    """The columns of a profile that look like personal data, and what kind."""
    return {column["name"]: kind for column in profile["columns"] if (kind := _kind(column))}


def _kind(column: ProfileColumn) -> str | None:
    values = [entry["value"] for entry in column["top_values"]]
    for kind, pattern in _PATTERNS.items():
        if values and sum(bool(pattern.search(value)) for value in values) >= _SHARE * len(values):
            return kind
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column["name"]).strip().lower()
    for kind, names in _PERSONAL_NAMES.items():
        if re.fullmatch(rf"(.*[\W_])?({names})([\W_].*)?", words, re.S) and column["type"] != "boolean":
            return None if kind in ("name", "address") and column["type"] in ("numeric", "date") else kind
    return None


class Disclosure:
    """What may be shown of one table."""

    def __init__(self, level: str, profile: Profile) -> None:
        """`level` is one of LEVELS."""
        self.level = level
        self.personal = find_personal(profile)
        self._profile = profile

    @property
    def sees_rows(self) -> bool:
        return self.level == "samples"

    def shows_cells_of(self, column: str) -> bool:
        """Whether single cells of a column may be shown, such as its labels."""
        return self.level != "names" and column not in self.personal

    def says(self, with_rows: bool) -> str:
        """What a step sends, with or without rows."""
        content = "column names" if self.level == "names" else "column names, types, quantiles and frequent values"
        content += ", and some rows" if with_rows and self.sees_rows else ""
        hidden = ", ".join(f"{shorten(name, 30)} ({kind})" for name, kind in list(self.personal.items())[:8])
        return f"{content} (agent_sees: {self.level})" + (f", but no cell of {hidden}" if hidden else "")

    def columns(self, names: list[str] | None = None) -> str:
        """The columns, or some of them, a line each while there is room, then further names."""
        columns = [column for column in self._profile["columns"] if names is None or column["name"] in names]
        lines, left = [], _DETAILS
        while columns and left > 0:
            line = self._line(columns[0])
            left -= len(line) + 1
            if left > 0:
                lines.append(line)
                columns = columns[1:]
        if columns:
            lines.append(f"further columns:  {_listed([column['name'] for column in columns], _NAMES)}")
        return "\n".join(lines)

    def _line(self, column: ProfileColumn) -> str:
        name = repr(column["name"])
        if self.level == "names":
            return name
        parts = [column["type"], f"{column['distinct']:,} distinct"]
        if column["missing"]:
            parts.append(f"{column['missing']:,} missing")
        if column["name"] in self.personal:
            return f"{name}: {', '.join(parts)}, cells not shown ({self.personal[column['name']]})"
        if column["quantiles"]:
            if column["number_style"] is not None and column["number_style"]["unit"] is not None:
                parts.append(f"in {column['number_style']['unit']!r}")
            parts.append("quantiles " + " ".join(f"{value:g}" for value in column["quantiles"].values()))
        else:
            values = [
                f"{shorten(entry['value'], _SHOWN_CELL)!r} ({entry['rows']})" for entry in column["top_values"][:5]
            ]
            parts.append("most frequent " + ", ".join(values))
        return f"{name}: {', '.join(parts)}"

    def rows(self, table: pd.DataFrame) -> str | None:
        """Some rows, the same ones each time; None if none may be shown."""
        if not self.sees_rows:
            return None
        chosen = table.sample(min(_SAMPLE_ROWS, len(table)), random_state=0)
        lines, room = [], _ROWS // len(chosen)
        for _, row in chosen.iterrows():
            cells = [f"{name}={self._cell(str(name), cell)}" for name, cell in row.items()]
            lines.append(shorten("; ".join(cells), room))
        return "\n".join(lines)

    def _cell(self, name: str, cell: object) -> str:
        if name in self.personal:
            return f"[{self.personal[name]}]"
        return "" if cell is None else self.clean(shorten(cell, _SHOWN_CELL))

    def clean(self, text: str, row: "pd.Series[Any] | None" = None) -> str:
        """The text without anything that looks like personal data, and without the personal cells of `row`."""
        for kind, pattern in _PATTERNS.items():
            text = pattern.sub(f"[{kind}]", text)
        for name, kind in self.personal.items():
            cell = None if row is None else row.get(name)
            if isinstance(cell, str) and cell:
                whole = " ".join(cell.split())
                text = text.replace(whole, f"[{kind}]").replace(whole[:LONGEST_CELL], f"[{kind}]")
        return text


def _listed(names: list[str], room: int) -> str:
    """As many names as there is room for, and how many more there are."""
    shown: list[str] = []
    for name in names:
        room -= len(name) + 4
        if room < 0:
            return f"{', '.join(shown)} and {len(names) - len(shown):,} more"
        shown.append(repr(name))
    return ", ".join(shown)
