"""Labels that may be wrong: how many, and which to look at first."""

from collections.abc import Sequence

from loramake.prediction.predictions import name_of
from loramake.tables.source import Key


def summarize_suspects(rows: int, keys: Sequence[Key], min_rows: int) -> str:
    if rows < min_rows:
        return f"Too few rows ({rows} for calibration and test, under {min_rows}) to tell whose label may be wrong."
    if not keys:
        return f"None of {rows:,} rows for calibration and test has a label that the model contradicts."
    return (
        f"{len(keys):,} of {rows:,} rows for calibration and test have a label that the model contradicts; "
        f"the first to look at is {name_of(keys[0])}."
    )
