import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from loramake import artifacts
from loramake.agents.builtin import BuiltinAgent
from loramake.dataset.balance import (
    check_balanced,
    check_strategy,
    execute_balance_code,
    farthest_repeats,
    most_repeats,
    read_strategy,
    write_balance_code,
)
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
    strategy = read_strategy(folder / "review.json", feedback)
    execute_balance_code(
        folder / "balance_data.py", train, strategy, seed, sandbox, folder / "balanced.json", folder / "shift.json"
    )
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


def rows_of(label: str, count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"output": label, "row": row, "source": "csv"} for row in range(first, first + count)]


COMMON, RARE = rows_of("common", 400), rows_of("rare", 100, 400)
TRAIN = COMMON + RARE


@pytest.mark.parametrize(
    ("strategy", "balanced", "complaint"),
    [
        ("none", TRAIN[::-1], "the strategy none must return them as they are, in their order"),
        ("none", [*TRAIN, TRAIN[0]], "none must return them as they are"),
        ("oversample", TRAIN, "must return these records of each label: {'common': 400, 'rare': 400}. It returned"),
        ("oversample", COMMON + RARE[:50] * 8, "must keep every record, but left out 50"),
        ("oversample", [*COMMON[1:], COMMON[1], *RARE * 4], "must keep every record, but left out 1"),
        ("oversample", TRAIN + RARE[:2] * 150, "up to 150 times, others 0 times, which chance does not explain"),
        ("oversample", TRAIN + RARE[:30] * 10, "up to 10 times, others 0 times, which chance does not explain"),
        ("oversample", TRAIN + RARE[:75] * 4, None),
        ("oversample", COMMON + RARE * 4, None),
        ("undersample", COMMON[:50] * 2 + RARE, "undersample must repeat no record, but repeated 50"),
        ("undersample", COMMON[:99] + RARE, "these records of each label: {'common': 100, 'rare': 100}"),
        ("undersample", COMMON[7:107] + RARE, None),
    ],
)
def test_a_strategy_is_held_to_which_records_it_keeps_and_how_often_it_repeats_them(
    strategy: str, balanced: list[dict[str, Any]], complaint: str | None
) -> None:
    check_balanced(TRAIN, balanced, "balance_data.py")
    if complaint is None:
        check_strategy(strategy, TRAIN, balanced, "balance_data.py")
        return
    with pytest.raises(CodeError) as caught:
        check_strategy(strategy, TRAIN, balanced, "balance_data.py")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("rare", "common"), [(1, 300), (2, 300), (10, 1000), (100, 101), (300, 10_000), (5000, 10_000)]
)
def test_draws_with_equal_chances_are_never_refused(rare: int, common: int) -> None:
    few, many = rows_of("rare", rare, common), rows_of("common", common)
    for seed in range(20):
        drawn = random.Random(seed).choices(few, k=common - rare)
        check_strategy("oversample", many + few, many + few + drawn, "balance_data.py")


def test_one_record_repeated_far_more_often_than_thousands_of_others_is_refused() -> None:
    few, many = rows_of("rare", 5000, 10_000), rows_of("common", 10_000)
    drawn = few[:1] * 60 + random.Random(0).choices(few, k=4940)
    assert most_repeats(5000, 10_000) < 30
    with pytest.raises(CodeError, match="chance does not explain"):
        check_strategy("oversample", many + few, many + few + drawn, "balance_data.py")


@pytest.mark.parametrize(("records", "rows"), [(2, 30), (7, 100), (40, 61), (500, 700)])
def test_the_most_repeats_are_the_least_number_whose_tail_is_small_enough(records: int, rows: int) -> None:
    draws = rows - records
    tails = records * binom.sf(np.arange(draws + 1), draws, 1 / records)
    assert most_repeats(records, rows) == int(np.flatnonzero(tails <= 1e-9)[0])


def test_the_distances_of_equal_draws_are_bounded_by_mcdiarmids_inequality() -> None:
    assert farthest_repeats(10, 110) == pytest.approx(math.sqrt(100 * 9) + math.sqrt(200 * math.log(1e9)))
    drawn = np.random.default_rng(0).multinomial(100, np.full(10, 0.1), size=2000)
    assert np.abs(drawn - 10).sum(axis=1).mean() < math.sqrt(100 * 9)  # the first part bounds the mean


def test_a_script_edited_by_hand_is_held_to_the_strategy_too(tmp_path: Path) -> None:
    make_records(tmp_path)
    balance(tmp_path, "undersample")
    script = tmp_path / "balance_data.py"
    code = script.read_text().replace(
        "return [records[place] for (place,) in chosen]",
        """chosen = []
    for label in ("common", "rare"):
        chosen += [record for record in records if record["output"] == label][:5] * 2
    return chosen""",
    )
    script.write_text(code)
    out, sandbox = tmp_path / "by_hand.json", choose_sandbox("auto", lambda script: True)
    with pytest.raises(CodeError, match=r"balance_data.py: undersample must repeat no record, but repeated 10"):
        execute_balance_code(script, tmp_path / "train.json", "undersample", 1, sandbox, out, tmp_path / "shift.json")
    assert not out.exists()
