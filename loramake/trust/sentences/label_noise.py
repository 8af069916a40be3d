"""Labels that may be wrong: how many, and which to check first."""

from collections.abc import Sequence

from loramake.prediction.predictions import name_of
from loramake.tables.source import Key


def summarize_suspects(rows: int, keys: Sequence[Key], min_rows: int) -> str:
    if rows < min_rows:
        return f"Too few rows to look for wrong labels: {rows} calibration and test rows, at least {min_rows} needed."
    if not keys:
        return f"The model contradicts none of the labels of {rows:,} calibration and test rows."
    return (
        f"The model contradicts the labels of {len(keys):,} of {rows:,} calibration and test rows; "
        f"start with {name_of(keys[0])}."
    )
