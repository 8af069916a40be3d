"""The verified records, a file for each split."""

from pathlib import Path

from loramake import artifacts, schemas
from loramake.explore.splits import SPLITS, read_splits


def split_data(all_data: str | Path, splits: str | Path, outs: dict[str, str | Path]) -> None:
    """Write train.json, validation.json, calibration.json and test.json (`outs`, by split); a split may be empty."""
    records = {(record["source"], record["row"]): record for record in artifacts.read(all_data, schemas.RECORDS)}
    lines = read_splits(splits)
    for split in SPLITS:
        keys = lines.loc[lines["split"] == split, ["source", "row"]].itertuples(index=False, name=None)
        artifacts.write(outs[split], [records[key] for key in keys], schemas.RECORDS)
