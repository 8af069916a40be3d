"""Values as text for people: shares and thresholds where rounding would mislead; cells cut; names listed."""

import functools
import math
from collections.abc import Sequence

CELL_LENGTH = 80


def as_percent(share: float) -> str:
    """A configured share in percent, unrounded: 0.05 is 5%, 0.9995 is 99.95%."""
    return f"{100 * share:.8f}".rstrip("0").rstrip(".") + "%"


def format_threshold(probability: float, beside: float = 1.0) -> str:
    """A threshold on probabilities, with enough digits to tell it from 1, and from one shown `beside` it."""
    gap = min((abs(probability - other) for other in (1.0, beside) if other != probability), default=1.0)
    return f"{probability:.{min(15, max(3, 1 - math.floor(math.log10(gap))))}f}"


def shorten(cell: object, limit: int = CELL_LENGTH) -> str:
    """A cell as text of at most `limit` characters."""
    text = str(cell)
    return text if len(text) <= limit else text[: limit - 1] + "…"


quoted = functools.partial(shorten, limit=300)
"""A value or a reason as a message quotes it."""


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
