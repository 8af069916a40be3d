"""Shares as text: settings as they were set, thresholds apart from 1 and from what stands beside them."""

import numpy as np
import pytest

from loramake.text import as_percent, format_threshold


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.9, "90%"),
        (0.975, "97.5%"),
        (0.995, "99.5%"),
        (0.9999999, "99.99999%"),
        (1 - 0.9995, "0.05%"),
        (1e-7, "0.00001%"),
        (1.0, "100%"),
    ],
)
def test_a_setting_is_told_as_it_was_set(share: float, text: str) -> None:
    assert as_percent(share) == text


def test_no_setting_of_ten_decimals_is_rounded() -> None:
    for digits in np.random.default_rng(0).integers(1, 10**10, size=1000).tolist():
        text = as_percent(digits / 10**10)
        assert round(float(text.removesuffix("%")) * 10**8) == digits


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0.000"), (0.5, "0.500"), (0.81234, "0.812"), (0.99961, "0.99961"), (0.9995, "0.99950"), (1.0, "1.000")],
)
def test_a_threshold_is_told_apart_from_1(probability: float, text: str) -> None:
    assert format_threshold(probability) == text


def test_a_threshold_is_told_apart_from_what_stands_beside_it() -> None:
    generator = np.random.default_rng(0)
    for first, apart in zip(generator.random(1000), 10 ** generator.uniform(-12, 0, size=1000), strict=True):
        second = first * (1 - apart)
        assert float(format_threshold(second, beside=first)) < float(format_threshold(first, beside=second)) < 1
