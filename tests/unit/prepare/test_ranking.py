"""The ranking: what tells of the label comes first, what does not shares a rank, and no order of the table matters."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loramake.explore.profile import profile_column
from loramake.prepare import ranking
from loramake.prepare.ranking import METHODS, Sample, average_ranks, rank

ROWS = 300
DRAW = np.random.default_rng(0)
LABELS = pd.Series(DRAW.integers(2, size=ROWS))
NOISE = pd.DataFrame(DRAW.normal(size=(ROWS, 20)).round(3), columns=[f"noise{index:02d}" for index in range(20)])


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "TREES", 40)


def ranked(labels: Any = LABELS, noise: pd.DataFrame = NOISE, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """The ranking of these columns, None being a missing cell, among columns of noise; its index is the name."""
    table = pd.concat([noise.astype(str), pd.DataFrame(columns, index=range(ROWS), dtype=object)], axis=1)
    described = [profile_column(table[name]) for name in table.columns]
    return rank(table, pd.Series(labels).astype(str), described, seed).set_index("feature")


def test_what_tells_of_the_label_comes_before_noise() -> None:
    linear = (LABELS + DRAW.normal(size=ROWS)).astype(str)
    table = ranked(linear=linear)
    assert table.index[0] == "linear"
    assert (table.loc["linear", [f"{method}_rank" for method in METHODS]] == 1).all()


def test_a_feature_that_goes_both_ways_is_found_by_mutual_information() -> None:
    both_ways = (DRAW.choice([-1, 1], size=ROWS) * (LABELS * 2 + 0.3 * DRAW.normal(size=ROWS))).astype(str)
    table = ranked(both_ways=both_ways)
    assert table.index[0] == "both_ways"
    assert table.loc["both_ways", "pearson"] < 0.2


def test_features_that_no_method_tells_from_chance_share_one_place() -> None:
    table = ranked(labels=np.random.default_rng(5).permutation(LABELS), linear=(LABELS + 0.1).astype(str))
    assert table["average_rank"].value_counts().max() >= 15


def test_features_that_tell_equally_little_stand_in_the_order_of_their_names() -> None:
    nothing_to_tell = ranked(labels=["same"] * ROWS)
    assert nothing_to_tell.index.tolist() == sorted(nothing_to_tell.index)


def test_columns_that_never_change_come_last_at_infinity() -> None:
    table = ranked(a_constant="7", a_void=None)
    assert table.index[-2:].tolist() == ["a_constant", "a_void"]
    assert np.isinf(table["average_rank"].tail(2)).all()
    assert np.isfinite(table["average_rank"].head(20)).all()


def test_a_table_of_constants_only_is_ranked_at_infinity() -> None:
    table = ranked(noise=pd.DataFrame(index=range(ROWS)), b="7", a="7")
    assert table.index.tolist() == ["a", "b"]
    assert np.isinf(table["average_rank"]).all()


def test_whether_a_cell_is_missing_can_be_all_that_tells() -> None:
    assert ranked(answered=["yes" if label else None for label in LABELS]).index[0] == "answered"


def test_categories_tell_of_the_label_whatever_their_frequency_and_name() -> None:
    names = {0: ["b", "d", "f"], 1: ["a", "c", "e"]}
    table = ranked(kind=[DRAW.choice(names[label]) for label in LABELS])
    assert table.index[0] == "kind"
    assert table.loc["kind", "pearson"] > 0.4


def test_many_rare_categories_gain_nothing_by_their_number() -> None:
    table = ranked(street=[f"street {index % 100}" for index in range(ROWS)])
    assert abs(table.loc["street", "mutual_information"]) < 0.05


def test_numbers_count_as_numbers_with_a_few_words() -> None:
    numbers = 5000 + 1000 * LABELS + 300 * DRAW.normal(size=ROWS)
    wordy = ["on request" if index % 40 == 0 else f"{number:.1f}" for index, number in enumerate(numbers)]
    table = ranked(plain=numbers.round(1).astype(str), wordy=wordy)
    assert table.loc["wordy", "pearson"] == pytest.approx(table.loc["plain", "pearson"], abs=0.1)


def test_dates_count_as_days_and_texts_by_their_length() -> None:
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta((400 * LABELS + DRAW.integers(300, size=ROWS)), unit="D")
    words = [" ".join(DRAW.choice(["red", "green", "blue", "grey"], size=5 + 20 * label)) for label in LABELS]
    table = ranked(day=days.dt.strftime("%Y-%m-%d"), note=words)
    assert set(table.index[:2]) == {"day", "note"}
    assert table.loc[["day", "note"], "pearson"].min() > 0.7


def test_rows_and_columns_in_another_order_rank_the_same() -> None:
    labels = pd.Series(DRAW.choice(list("abc"), size=ROWS))
    kinds = pd.Series(DRAW.choice(list("uvwxyz"), size=ROWS))
    table = pd.concat([NOISE.astype(str), kinds.rename("kind")], axis=1)
    order = DRAW.permutation(ROWS)
    described = [profile_column(table[name]) for name in table.columns]
    first = rank(table, labels, described, 3)
    second = rank(table.iloc[order, ::-1].reset_index(drop=True), labels[order], described[::-1], 3)
    pd.testing.assert_frame_equal(first, second, check_exact=False, rtol=1e-9)


def test_the_forest_sees_the_best_columns_by_either_cheap_score() -> None:
    linear = (LABELS + DRAW.normal(size=ROWS)).astype(str)
    table = pd.concat([NOISE.astype(str), linear.rename("linear")], axis=1)
    described = [profile_column(table[name]) for name in table.columns]
    labels = LABELS.astype(str)
    sampled = rank(table, labels, described, 0, Sample(columns=5, rows=100)).set_index("feature")
    assert sampled["random_forest"].notna().sum() == 5
    assert sampled.index[0] == "linear"
    assert sampled["random_forest_rank"].notna().all()
    assert rank(table, labels, described, 0, None)["random_forest"].notna().all()


@pytest.mark.parametrize("labels", [["a"] * (ROWS - 1) + ["alone"], [f"label {index // 2}" for index in range(ROWS)]])
def test_labels_of_one_row_and_labels_by_the_hundred_can_be_ranked(labels: list[str]) -> None:
    table = ranked(labels=labels)
    assert np.isfinite(table["average_rank"]).all()
    assert table[list(METHODS)].notna().all(axis=None)


def test_huge_numbers_do_not_overflow() -> None:
    table = ranked(huge=["1e300" if label else "-1e300" for label in LABELS[:-1]] + ["5"])
    assert table.index[0] == "huge"
    assert np.isfinite(table["variance"]).all()


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    described = [profile_column(NOISE[name].astype(str)) for name in NOISE.columns]
    rank(NOISE.astype(str), LABELS.astype(str), described, 0, advance=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(told)


def test_the_average_is_over_places_and_chance_is_one_place() -> None:
    scores = pd.DataFrame(
        {
            "feature": ["d", "c", "b", "a"],
            "variance": [1.0, 2.0, 3.0, 4.0],
            "pearson": [0.9, 0.8, 0.05, 0.01],
            "mutual_information": [0.3, 0.4, 0.02, 0.02],
            "random_forest": [0.5, 0.2, np.nan, 0.0],
        }
    )
    table = average_ranks(scores, {"pearson": 0.1, "mutual_information": 0.1, "random_forest": 0.1})
    assert table["feature"].tolist() == ["d", "c", "b", "a"]
    assert table["average_rank"].tolist() == pytest.approx([4 / 3, 5 / 3, 3, 3])
