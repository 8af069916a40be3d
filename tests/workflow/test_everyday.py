"""New rows as people write them, against one model: the same probabilities, or a sentence."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from filelock import FileLock

from loramake import Predictor
from loramake.errors import DataError
from loramake.serving.new_rows import open_table
from tests.conftest import ROOT, make_workplace, snakemake

FOLDER = ROOT / "tests/everyday/60-predict"
SAME = (
    *(
        "p00-same.csv",
        "p01-with-target.csv",
        "p02-blank-index.csv",
        "p03-unnamed0.csv",
        "p15-sep-line.csv",
        "p04-semicolon-comma.csv",
        "p05-bool-float.csv",
    ),
    *("p06-bool-words.csv", "p07-int-as-float.csv", "p08-case-category.csv", "p11-date-format.csv", "p12-one-row.csv"),
    *("p17-reordered.csv", "p18-header-case.csv", "p20-currency.csv", "p21-nfd-city.csv", "p25-date-with-time.csv"),
    *("p27.jsonl", "q00-same.csv", "q01-date-day-first.csv"),
)
"""What is read as the same rows in other clothes."""
REMARKS = {
    "p09-new-category.csv": "colour 'violet' was never seen in training",
    "p10-zip-lost-zeros.csv": "zip '2134' was never seen in training",
    "p19-all-missing.csv": "every feature is missing",
    "p23-out-of-range.csv": "age '9999' is far outside",
    "p24-year-only.csv": "joined '2023' is not a date",
    "p28-int-zip.jsonl": "zip '2134' was never seen in training",
    "q02-date-words.csv": "joined 'next week' is not a date",
    "q03-date-number.csv": "joined '45123' is not a date",
    "q04-numbers-1,000.csv": "age '1050.5' is far outside",
}
"""What is predicted, with a remark on each row."""
REFUSED = {
    "p13-header-only.csv": "has a header and no rows",
    "p14-empty.csv": "is empty",
    "p16-missing-column.csv": "lacks the column 'age'",
    "p22-utf16.csv": "is text in UTF-16: save it as UTF-8",
}


class Predicted(NamedTuple):
    probabilities: np.ndarray
    reasons: list[str | None]
    notes: dict[str, str]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.getbasetemp() / "everyday"
    with FileLock(f"{folder}.lock"):
        if not (folder / "results/exp/evaluation/results.json").exists():
            make_workplace(folder, Path("t.csv"), target="outcome")
            (folder / "t.csv").write_bytes((FOLDER / "t.csv").read_bytes())
            done = snakemake(folder, "results/exp/evaluation/results.json")
            assert done.returncode == 0, done.stdout
    return Predictor(folder / "results/exp")


def predict(predictor: Predictor, name: str) -> Predicted:
    path = FOLDER / name
    rows = open_table(path, predictor.columns)
    with contextlib.redirect_stderr(io.StringIO()):
        decided = [predictor.decide_cells(batch) for batch in rows.batches(2000)]
    probabilities = np.vstack([decisions.probabilities for decisions in decided])
    return Predicted(probabilities, [reason for each in decided for reason in each.reasons], rows.notes)


@pytest.mark.parametrize("name", SAME)
def test_rows_in_other_clothes_have_the_same_probabilities(predictor: Predictor, name: str) -> None:
    usual = predict(predictor, f"{name[0]}00-same.csv").probabilities
    predicted = predict(predictor, name)
    np.testing.assert_allclose(predicted.probabilities, usual[: len(predicted.probabilities)], atol=1e-6)
    assert not any(reason and ("training" in reason or "not predicted" in reason) for reason in predicted.reasons)


@pytest.mark.parametrize("name", REMARKS)
def test_rows_unlike_those_of_training_are_predicted_with_a_remark(predictor: Predictor, name: str) -> None:
    predicted = predict(predictor, name)
    assert not np.isnan(predicted.probabilities).any()
    assert predicted.reasons[0] is not None
    assert REMARKS[name] in predicted.reasons[0]
    assert sum(map(bool, predicted.reasons)) >= len(predicted.reasons) / 2


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_without_usable_rows_is_refused_in_one_sentence(predictor: Predictor, name: str) -> None:
    with pytest.raises(DataError, match=REFUSED[name]):
        predict(predictor, name)


def test_empty_rows_at_the_end_are_remarked_on_and_the_others_are_as_usual(predictor: Predictor) -> None:
    usual, predicted = predict(predictor, "p00-same.csv"), predict(predictor, "p26-trailing-blank-lines.csv")
    rows = len(usual.probabilities)
    np.testing.assert_allclose(predicted.probabilities[:rows], usual.probabilities, atol=1e-6)
    assert all("every feature is missing" in str(reason) for reason in predicted.reasons[rows:])


def test_what_is_read_in_another_format_is_said(predictor: Predictor) -> None:
    assert predict(predictor, "p20-currency.csv").notes == {"age": "numbers are written as in '$51.1'"}
    assert predict(predictor, "q01-date-day-first.csv").notes == {"joined": "dates are written with the day first"}


def test_a_date_that_may_mean_two_days_is_not_predicted(predictor: Predictor, tmp_path: Path) -> None:
    lines = (FOLDER / "q01-date-day-first.csv").read_text(encoding="utf-8").splitlines()
    ambiguous = [line for line in lines if ",03/07/2023," in line]
    path = tmp_path / "new.csv"
    path.write_text("\n".join([lines[0], *ambiguous, ""]), encoding="utf-8")
    decided = predictor.decide_cells(next(iter(open_table(path, predictor.columns).batches(10))))
    assert np.isnan(decided.probabilities).all()
    assert decided.reasons[0] == (
        "The row is not predicted: joined '03/07/2023' may be two dates: write it as 2024-07-03."
    )
