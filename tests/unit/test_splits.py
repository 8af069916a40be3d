import pandas as pd

from loramake.splits import Ratios, split_shares, stratified
from loramake.tables import read_table
from tests.conftest import ROOT

RATIOS = Ratios(validation_ratio=0.0, calibration_ratio=0.15, test_ratio=0.2)
SHARES = split_shares(RATIOS, has_test_csv=False)


def table(name: str) -> pd.DataFrame:
    return read_table(ROOT / f"data/{name}.csv")


def test_shares_are_of_all_rows_and_labels_are_spread_evenly() -> None:
    heart = table("heart")
    splits = pd.Series(stratified(heart, "HeartDisease", [], SHARES, 42))
    assert (splits.value_counts(normalize=True) - pd.Series(SHARES)).abs().drop("validation").max() < 0.01
    rates = (heart["HeartDisease"] == "1").groupby(splits).mean()
    assert rates.max() - rates.min() < 0.01


def test_the_same_seed_splits_the_same_and_another_seed_does_not() -> None:
    heart = table("heart")
    first = stratified(heart, "HeartDisease", [], SHARES, 42)
    assert stratified(heart, "HeartDisease", [], SHARES, 42) == first
    assert stratified(heart, "HeartDisease", [], SHARES, 43) != first


def test_the_order_of_rows_and_columns_changes_nothing() -> None:
    heart = table("heart").drop_duplicates()
    first = stratified(heart, "HeartDisease", [], SHARES, 42)
    mixed = heart.sample(frac=1, random_state=1)[list(reversed(heart.columns))]
    assert stratified(mixed, "HeartDisease", [], SHARES, 42) == first


def test_identical_rows_are_on_the_same_side_whatever_their_ids_and_labels() -> None:
    titanic = table("titanic").assign(id=[str(row) for row in range(891)])
    features = titanic.drop(columns=["survived", "alive", "id"]).fillna("")
    assert features.duplicated().sum() > 50
    repeated = stratified(titanic.drop(columns="alive"), "survived", ["id"], SHARES, 7)
    sides = pd.Series(repeated).groupby([features[name] for name in features.columns]).nunique()
    assert sides.max() == 1


def test_a_label_seen_once_trains_and_a_small_label_is_not_lost() -> None:
    small = pd.DataFrame({"x": [str(i) for i in range(21)], "y": ["a"] * 20 + ["rare"]})
    assert stratified(small, "y", [], SHARES, 0)[20] == "train"


def test_a_test_table_leaves_every_row_of_the_csv_untested() -> None:
    assert split_shares(RATIOS, has_test_csv=True)["test"] == 0.0


def test_a_table_of_one_feature_of_few_values_still_fills_every_split() -> None:
    coarse = pd.DataFrame({"x": ["a", "b"] * 100, "y": [str(row % 3 % 2) for row in range(200)]})
    splits = pd.Series(stratified(coarse, "y", [], SHARES, 0))
    assert (splits.value_counts() - pd.Series({"train": 130, "calibration": 30, "test": 40})).abs().max() <= 3


def test_a_table_of_ids_alone_is_split_row_by_row() -> None:
    ids = pd.DataFrame({"id": [str(row) for row in range(100)], "y": ["a", "b"] * 50})
    assert abs(pd.Series(stratified(ids, "y", ["id"], SHARES, 0)).value_counts()["train"] - 65) <= 2
