from pathlib import Path

from loramake import artifacts
from loramake.dataset.split import split_data


def test_each_split_gets_its_records_in_the_order_of_the_splits(tmp_path: Path) -> None:
    records = [
        {"instruction": "?", "input": f"x {row}", "output": "no", "row": row, "source": "csv"} for row in range(6)
    ]
    artifacts.write(tmp_path / "all_data.json", records, "records")
    sides = [(5, "test"), (0, "train"), (2, "calibration"), (4, "train")]
    lines = ["row,source,split", *(f"{row},csv,{side}" for row, side in sides)]
    (tmp_path / "splits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    outs = {side: tmp_path / f"{side}.json" for side in ("train", "validation", "calibration", "test")}
    split_data(tmp_path / "all_data.json", tmp_path / "splits.csv", dict(outs))
    rows = {side: [record["row"] for record in artifacts.read(path, "records")] for side, path in outs.items()}
    assert rows == {"train": [0, 4], "validation": [], "calibration": [2], "test": [5]}
