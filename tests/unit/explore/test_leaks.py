from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from loramake.explore.leaks import pairs
from loramake.explore.leaks.words import normalise
from loramake.tables.reading import read_table
from support.plants import PLANTS, add_plant, leaks_of, random_table
from tests.conftest import ROOT

TARGETS = {"heart": "HeartDisease", "diabetes": "Outcome", "penguins": "species", "titanic": "survived"}
NOISY_PLANTS = ("a copy", "a copy in many words", "affine numbers", "a combination of two", "an id that sorts")


def text(**columns: Any) -> pd.DataFrame:
    """A table of text from columns of anything, None where missing."""
    cells = {
        name: pd.Series(list(column), dtype=object).map(str, na_action="ignore") for name, column in columns.items()
    }
    return pd.DataFrame(cells)


def reasons(target: Any = None, **columns: Any) -> dict[str, str]:
    """The reason of each leak in a table whose target is `y`, by default a, b, a, b and so on."""
    rows = len(next(iter(columns.values())))
    leaks = leaks_of(text(**columns, y=["ab"[i % 2] for i in range(rows)] if target is None else target), "y")
    return {leak["name"]: leak["reason"] for leak in leaks}


@pytest.mark.parametrize("name", TARGETS)
def test_no_column_of_the_demo_tables_is_suspected_but_titanics_alive(name: str) -> None:
    leaks = leaks_of(read_table(ROOT / f"data/{name}.csv"), TARGETS[name])
    assert [leak["name"] for leak in leaks] == (["alive"] if name == "titanic" else [])


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "digits"])
def test_strong_measurements_are_no_leaks(name: str) -> None:
    assert leaks_of(getattr(datasets, f"load_{name}")(as_frame=True).frame.astype(str), "target") == []


def test_random_labels_raise_no_alarm() -> None:
    assert [seed for seed in range(20) if leaks_of(random_table(seed), "target")] == []


@pytest.mark.parametrize("noise", [0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("plant", NOISY_PLANTS)
@pytest.mark.parametrize("name", ["heart", "diabetes", "penguins"])
def test_a_planted_leak_is_found_up_to_five_per_cent_noise_and_a_strong_feature_is_not(
    name: str, plant: str, noise: float
) -> None:
    table, planted = add_plant(read_table(ROOT / f"data/{name}.csv"), TARGETS[name], PLANTS[plant], noise, seed=1)
    assert {leak["name"] for leak in leaks_of(table, TARGETS[name])} == (planted if noise < 0.2 else set())


@pytest.mark.parametrize("plant", ["a difference of two", "two that are equal", "filled for one label"])
@pytest.mark.parametrize("name", ["heart", "diabetes"])
def test_a_leak_without_noise_is_found_and_nothing_beside_it(name: str, plant: str) -> None:
    table, planted = add_plant(read_table(ROOT / f"data/{name}.csv"), TARGETS[name], PLANTS[plant], 0, seed=1)
    assert {leak["name"] for leak in leaks_of(table, TARGETS[name])} == planted


def test_a_column_that_alone_gives_the_label_is_a_leak_where_its_values_come_up_often() -> None:
    assert "each of its 2 values comes with one label only, in all 100 rows" in reasons(x=["no", "yes"] * 50)["x"]
    cut = reasons(x=[i % 2 * 100 + i / 7 for i in range(100)])
    assert cut == {"x": "cutting its numbers at a few points gives the label of all 100 rows"}
    assert reasons(x=[f"word{i} of many" for i in range(100)]) == {}
    assert reasons(x=["no", "yes"] * 6) == {}  # random labels would fit with a probability of 4e-3
    assert set(reasons(x=["no", "yes"] * 10)) == {"x"}  # of 2e-5


def test_a_column_filled_for_one_label_is_a_leak() -> None:
    dates = [f"2024-01-{i % 28 + 1:02}" if i % 2 else None for i in range(100)]
    assert reasons(x=dates) == {"x": "it is filled for one label only (50 rows) and empty for the other"}
    assert set(reasons(refund_id=[f"R{i}" if i % 2 else None for i in range(100)])) == {"refund_id"}
    some = [f"k{i % 7}" if i % 2 and i % 3 else None for i in range(120)]
    assert reasons(x=some) == {"x": "it is filled for b only (40 of its 60 rows)"}
    assert reasons(x=["k" if i % 3 else None for i in range(120)]) == {}


def test_numbers_with_words_and_gaps_are_judged_where_at_least_half_of_the_rows_have_one() -> None:
    numbers: list[Any] = [i % 2 * 100 + i / 7 for i in range(100)]
    assert reasons(x=["low", *numbers[1:70], *[None] * 30])["x"].endswith("the label of all 69 rows")
    assert reasons(x=[*numbers[:40], *[None] * 60]) == {}


def test_numbers_written_with_a_decimal_comma_are_numbers() -> None:
    assert "x" in reasons(x=[f"{i % 2 * 100 + i / 7:.3f}".replace(".", ",") for i in range(100)])


def test_an_affine_copy_is_found_though_its_labels_are_rare() -> None:
    labels = np.arange(36) % 12
    assert "near one number for each label" in reasons(target=labels, x=2 * labels + 1 + np.linspace(0, 0.1, 36))["x"]


def test_a_near_copy_is_found_through_case_accents_signs_and_words_for_yes() -> None:
    yes, no = ("YES", "ja", "True", "1", " y"), ("no.", "Nein", "FALSE", "0", "n")
    told = reasons(x=[(no, yes)[i % 2][i // 2 % 5] for i in range(40)])["x"]
    assert told == "each of its 2 values, however written, comes with one label only, in all 40 rows"
    labels = np.arange(36) % 12
    assert "x" in reasons(target=[f"Größe {label}" for label in labels], x=[f"groesse-{label}" for label in labels])


def test_a_sign_that_tells_is_kept() -> None:
    assert normalise("<=50K") != normalise(">50K")
    assert normalise("+") != normalise("-")
    assert normalise("Décès!") == normalise("deces")


@pytest.mark.parametrize("labels", [2, 3])
def test_an_id_that_sorts_with_the_target_is_a_leak_and_a_shuffled_one_is_not(labels: int) -> None:
    target = np.arange(99) * labels // 99
    told = {"x": "sorted by it, the 99 rows fall into one block for each label"}
    assert reasons(target=target, x=range(99)) == told
    assert reasons(target=target, x=[f"P{i + 1}" for i in range(99)]) == told  # P9 before P10
    assert reasons(target=target, x=np.random.default_rng(0).permutation(99)) == {}


def test_both_columns_of_a_pair_are_reported_and_name_each_other() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 200))
    leaks = reasons(target=a ^ b, a=a, b=b, c=rng.integers(0, 2, 200))
    assert set(leaks) == {"a", "b"}
    assert leaks["a"] == "together with b: each of their 4 combinations comes with one label only, in all 200 rows"
    assert leaks["b"].startswith("together with a: ")


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        ("difference", lambda a, b: a < b),
        ("sum", lambda a, b: a + b > 1),
        ("product", lambda a, b: a * b > 0),
        ("ratio", lambda a, b: a / b > 2),
        ("difference", lambda a, b: np.digitize(a - b, [-0.5, 0.5])),
    ],
)
def test_an_operation_on_two_numbers_that_parts_the_labels_is_a_leak(operation: str, rule: Any) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 300)).round(3)
    leaks = reasons(target=rule(a, b), a=a, b=b, c=c)
    assert set(leaks) == {"a", "b"}
    assert f"their {operation}, cut at a few points, gives the label of all 300 rows" in leaks["a"]


def test_two_dates_in_order_for_one_label_only_are_a_leak() -> None:
    due, paid = (
        pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
        for days in np.random.default_rng(0).integers(0, 300, (2, 200))
    )
    leaks = reasons(target=paid > due, due=due.strftime("%Y-%m-%d"), paid=paid.strftime("%Y-%m-%d"))
    assert set(leaks) == {"due", "paid"}


def test_words_that_are_equal_for_one_label_only_are_a_leak() -> None:
    entered = [f"name {i % 37}" for i in range(200)]
    leaks = reasons(entered=entered, given=[f"NAME {(i + i % 2) % 37}" for i in range(200)])
    assert leaks["entered"] == "together with given: whether they are equal gives the label of all 200 rows"


def test_a_pair_is_no_leak_where_one_of_its_columns_is_a_strong_feature() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    strong = y * 3 + rng.normal(size=200)
    assert reasons(target=y, a=strong.round(3), b=(y * 4 - strong + rng.uniform(0, 0.5, 200)).round(3)) == {}


def test_a_pair_is_no_leak_where_a_label_has_few_rows() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 120)).round(3)
    assert set(reasons(target=a - b >= np.sort(a - b)[-50], a=a, b=b)) == {"a", "b"}
    assert reasons(target=a - b >= np.sort(a - b)[-15], a=a, b=b) == {}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "discharge_date",
            "DischargeDate",
            "DATE OF DEATH",
            "closed_at",
            "closedAt",
            "CANCELLED_AT",
            "cancellation date",
        ),
        *("churn_date", "resolution_time", "terminationDate", "pay_off_date", "charge-off date", "refunded_on"),
        *("outcome_date", "date_of_diagnosis", "y_date", "Entlassungsdatum", "Kündigungsdatum", "Todesdatum"),
        *("date de décès", "date_resiliation", "fecha_de_cancelación", "fecha_baja", "deathdate"),
    ],
)
def test_a_date_known_only_after_the_outcome_is_suspected_by_name(name: str) -> None:
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.random.default_rng(0).integers(0, 300, 100), unit="D")
    assert (
        "known only after the outcome (filled for 100% of a, 100% of b)"
        in reasons(**{name: days.strftime("%Y-%m-%d")})[name]
    )


@pytest.mark.parametrize(
    "name",
    [
        *(
            "birth_date",
            "admission_date",
            "orderDate",
            "signup_date",
            "created_at",
            "start date",
            "end_date",
            "due_date",
        ),
        *(
            "previous_discharge_date",
            "expected_closing_date",
            "date",
            "Geburtsdatum",
            "date_naissance",
            "fecha_de_alta",
        ),
        *("closet_date", "today", "updated_at", "enclosed_on"),
    ],
)
def test_an_innocent_date_is_not(name: str) -> None:
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.random.default_rng(0).integers(0, 300, 100), unit="D")
    assert reasons(**{name: days.strftime("%Y-%m-%d")}) == {}


@pytest.mark.parametrize("name", ["end_date", "cancellation_reason"])
def test_a_telling_name_is_believed_of_other_columns_where_the_filled_cells_go_with_the_target(name: str) -> None:
    filled = [f"k{i % 3}" if i % 10 == 0 or (i % 2 and i % 5) else None for i in range(200)]
    assert reasons(**{name: filled})[name].endswith("(filled for 20% of a, 80% of b)")
    assert reasons(**{name: [f"k{i % 3}" if i % 5 else None for i in range(200)]}) == {}


def test_what_a_wide_table_leaves_untried_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pairs, "_MAX_PAIRED_COLUMNS", 3)
    monkeypatch.setattr(pairs, "_MAX_PAIRED_VALUES", 5)
    rng = np.random.default_rng(0)
    numbers = {f"n{i}": rng.normal(size=100).round(3) for i in range(5)}
    assert reasons(**numbers, **{f"v{i}": rng.choice(["u", "v"], 100) for i in range(4)}) == {}
    told = capsys.readouterr().err
    assert "only the first 3 of 5 columns were checked" in told
    assert "only 2 of 4 columns were checked" in told


def test_it_is_said_where_more_pairs_pass_the_screen_than_are_confirmed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pairs, "_MAX_CONFIRMED", 1)
    a, b = np.random.default_rng(0).integers(0, 2, (2, 200))
    assert set(reasons(target=a ^ b, a=a, b=b, also_b=b)) >= {"a"}
    assert "more than 1 pairs of columns may be leaks" in capsys.readouterr().err


def test_leaks_come_in_the_order_of_the_columns_and_leave_the_table_as_it_was() -> None:
    table = text(z=["no", "yes"] * 50, e=[7] * 100, a=["u", "v"] * 50, y=["0", "1"] * 50)
    before = table.copy()
    assert [leak["name"] for leak in leaks_of(table, "y")] == ["z", "a"]
    pd.testing.assert_frame_equal(table, before)
