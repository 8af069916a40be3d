"""When a label has too few rows, or balancing drops too many, in sentences for the screen and the reviews."""

from collections.abc import Mapping

from loramake.text import listed, shorten

FEW_ROWS = 20
"""From fewer train rows a label is hardly learnt, and its measures are mostly chance."""
_MOST_DROPPED = 0.5


def describe_rare(train_rows: Mapping[str, int]) -> str | None:
    """One sentence about the labels with few train rows; None if there are none."""
    rare = [f"{shorten(label, 40)} ({rows:,})" for label, rows in train_rows.items() if rows < FEW_ROWS]
    if not rare:
        return None
    return (
        f"fewer than {FEW_ROWS} train rows for {listed(rare)}: hardly enough to learn from; add rows, or merge labels "
        f"in the CSV."
    )


def describe_undersampling(train_rows: Mapping[str, int]) -> str | None:
    """One sentence about the rows that undersampling drops; None if it keeps at least half."""
    rows = sum(train_rows.values())
    kept = min(train_rows.values(), default=0) * len(train_rows)
    if kept >= (1 - _MOST_DROPPED) * rows:
        return None
    return (
        f"undersampling keeps {kept:,} of {rows:,} training records, as many of each label as the rarest has: set "
        f"balance to none or oversample to train on all of them."
    )
