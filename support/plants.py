"""Leaks to plant onto a table: columns made from its target, for tests/unit/test_leaks.py and benchmarks/leaks.py."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from loramake.artifact_types.shared import ExcludedColumn
from loramake.explore.leaks import find_leaks
from loramake.explore.profile import profile_column
from loramake.tables.readings import Reading
from loramake.tables.source import read_columns

Plant = Callable[[np.ndarray, np.random.Generator], dict[str, Any]]
"""From a code for each row, of shape (rows,), the columns that give it away: the cells of each name."""


def add_noise(codes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Codes of which this share of the rows has another one."""
    wrong = rng.choice(len(codes), round(share * len(codes)), replace=False)
    noisy = codes.copy()
    noisy[wrong] = (codes[wrong] + rng.integers(1, codes.max() + 1, len(wrong))) % (codes.max() + 1)
    return noisy


def plant_copy(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    return {"copy": [f"c{code}" for code in codes]}


def plant_words(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """One word a label, each written in five ways."""
    words = [("No", "Yes", "Peut-être")[code] for code in codes]
    ways = (str.upper, str.lower, str.title, lambda word: f"{word}.", lambda word: f"({word})")
    return {"words": [ways[way](word) for word, way in zip(words, rng.integers(0, len(ways), len(words)), strict=True)]}


def plant_affine(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    return {"affine": 2 * codes + 1 + rng.uniform(-0.05, 0.05, len(codes)).round(3)}


def plant_combination(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Of two labels, the exclusive or; of more, a sum modulo their number."""
    mask = rng.integers(0, codes.max() + 1, len(codes))
    return {
        "mask": [f"m{code}" for code in mask],
        "masked": [f"v{code}" for code in (codes + mask) % (codes.max() + 1)],
    }


def plant_difference(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    before = rng.normal(0, 5, len(codes)).round(2)
    return {"before": before, "after": before + codes + rng.uniform(0.1, 0.9, len(codes)).round(2)}


def plant_equality(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Names, the same in both columns for the first label."""
    names = rng.integers(0, 50, len(codes))
    return {"asked": [f"name {one}" for one in names], "given": [f"Name {one}" for one in names + (codes > 0)]}


def plant_filled(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Filled for the labels but the first."""
    words = rng.integers(0, 30, len(codes))
    return {"comment": [f"k{word}" if code else None for code, word in zip(codes, words, strict=True)]}


def plant_id(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Numbered by label, and shuffled within it."""
    ranks = np.empty(len(codes), int)
    ranks[np.lexsort((rng.random(len(codes)), codes))] = np.arange(len(codes))
    return {"row_id": [f"R{index}" for index in ranks]}


def plant_date(codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """A date that tells nothing but by its name."""
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, len(codes)), unit="D")
    return {"dischargeDate": days.strftime("%Y-%m-%d")}


PLANTS: dict[str, Plant] = {
    "a copy": plant_copy,
    "a copy in many words": plant_words,
    "affine numbers": plant_affine,
    "a combination of two": plant_combination,
    "a difference of two": plant_difference,
    "two that are equal": plant_equality,
    "filled for one label": plant_filled,
    "an id that sorts": plant_id,
    "a date after the fact": plant_date,
}


def add_plant(table: pd.DataFrame, target: str, plant: Plant, noise: float, seed: int) -> tuple[pd.DataFrame, set[str]]:
    """The table of text with planted columns, and their names."""
    rng = np.random.default_rng(seed)
    planted = plant(add_noise(pd.factorize(table[target], sort=True)[0], noise, rng), rng)
    cells = {name: pd.Series(column, index=table.index, dtype=object) for name, column in planted.items()}
    return table.assign(**{name: column.map(str, na_action="ignore") for name, column in cells.items()}), set(planted)


def random_table(seed: int) -> pd.DataFrame:
    """Columns of all types, some with gaps, and random labels; 12 to 1,000 rows and 3 to 100 columns."""
    rng = np.random.default_rng(seed)
    rows, columns, labels = (rng.choice(sizes) for sizes in ([12, 40, 150, 400, 1000], [3, 10, 30, 100], [2, 3, 5, 10]))
    days = pd.date_range("2020-01-01", periods=900).strftime("%Y-%m-%d").to_numpy()
    kinds = (
        lambda: rng.normal(size=rows).round(3),
        lambda: rng.integers(0, 2, rows),
        lambda: rng.poisson(3, rows),
        lambda: rng.permutation(rows),
        lambda: rng.choice(list("abcdefghij")[: rng.integers(2, 11)], rows),
        lambda: rng.choice(days, rows),
    )
    table = pd.DataFrame({f"x{index}": kinds[rng.integers(len(kinds))]().astype(str) for index in range(columns)})
    table = table.astype(object).where(rng.random(table.shape) >= rng.choice([0, 0.3, 0.8], columns), None)
    return table.assign(
        target=np.char.add("label ", rng.choice(labels, rows, p=rng.dirichlet(np.ones(labels))).astype(str))
    )


def leaks_of(table: pd.DataFrame, target: str) -> list[ExcludedColumn]:
    """find_leaks with the table's own profile, its cells read as that says."""
    columns = [profile_column(table[name]) for name in table.columns]
    read = read_columns(table, {column["name"]: Reading.of(column) for column in columns})
    return find_leaks(read.assign(**{target: table[target]}), target, columns)
