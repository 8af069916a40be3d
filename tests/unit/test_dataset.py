from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.dataset import check_balanced, execute_balance_code, write_balance_code
from loramake.errors import CodeError
from loramake.sandbox import choose_sandbox


def make_records(folder: Path) -> list[dict[str, Any]]:
    records = [
        {
            "instruction": "?",
            "input": f"x {row}",
            "output": "rare" if row % 10 == 0 else "common",
            "row": row,
            "source": "csv",
        }
        for row in range(100)
    ]
    artifacts.write(folder / "train.json", records, "records")
    return records


def balance(folder: Path, decided: str, feedback: str | None = None, seed: int = 1) -> list[dict[str, Any]]:
    review = {"review": "data", "decision": "approve", "by": "setting", "balance": decided, "reviewed": {}}
    artifacts.write(folder / "review.json", review, "review")
    sandbox, train = choose_sandbox("auto", lambda script: True), folder / "train.json"
    write_balance_code(
        folder / "review.json", feedback, train, seed, BuiltinAgent(), sandbox, folder / "balance_data.py"
    )
    execute_balance_code(folder / "balance_data.py", folder / "train.json", seed, sandbox, folder / "balanced.json")
    records: list[dict[str, Any]] = artifacts.read(folder / "balanced.json", "records")
    return records


@pytest.mark.parametrize(
    ("strategy", "counts"),
    [
        ("none", {"common": 90, "rare": 10}),
        ("oversample", {"common": 90, "rare": 90}),
        ("undersample", {"common": 10, "rare": 10}),
    ],
)
def test_labels_are_balanced_as_decided_with_records_of_the_training_split_only(
    tmp_path: Path, strategy: str, counts: dict[str, int]
) -> None:
    records = make_records(tmp_path)
    balanced = balance(tmp_path, strategy)
    assert Counter(record["output"] for record in balanced) == counts
    assert all(record in records for record in balanced)


def test_the_same_seed_draws_the_same_records(tmp_path: Path) -> None:
    make_records(tmp_path)
    assert balance(tmp_path, "undersample", seed=3) == balance(tmp_path, "undersample", seed=3)
    assert balance(tmp_path, "undersample", seed=3) != balance(tmp_path, "undersample", seed=4)


def test_feedback_wins_over_the_review(tmp_path: Path) -> None:
    make_records(tmp_path)
    assert len(balance(tmp_path, "none", feedback="oversample")) == 180


def test_balancing_that_makes_records_up_or_loses_a_label_is_refused() -> None:
    records = [{"output": label, "row": row, "source": "csv"} for row, label in enumerate("aab")]
    with pytest.raises(CodeError, match="not in the training split"):
        check_balanced(records, [{**records[0], "output": "b"}], "balance_data.py")
    with pytest.raises(CodeError, match="lost every record of 'b'"):
        check_balanced(records, records[:2], "balance_data.py")
