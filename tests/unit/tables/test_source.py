"""Every step reads the tables as profile.json says, and none looks for itself how they are written."""

from pathlib import Path

import pandas as pd
import pytest

from loramake import artifacts
from loramake.errors import ArtifactError, DataError
from loramake.explore.profile import profile_csv
from loramake.tables import source as tables
from loramake.tables.reading import Dialect
from loramake.tables.source import describe_source, find_missing, sniff_source, take_rows
from loramake.trust.cells import read_cells
from loramake.trust.label_noise import find_lines
from support.experiment import ROOT, Experiment


def write(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_text(text, encoding=encoding)
    return folder / name


def profile(folder: Path, csv: Path, test_csv: Path | None = None, **overruled: str) -> Path:
    """profile.json of the tables, with another dialect of the CSV where a test says so."""
    out = folder / "profile.json"
    profile_csv(csv, test_csv, out)
    artifacts.write(out, artifacts.read(out, "profile") | overruled, "profile")
    return out


def test_a_table_is_read_by_the_dialect_of_the_profile_and_not_by_its_own_looks(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b;c\np,q;r\ns,t;u\n")
    by_itself, overruled = sniff_source(csv), describe_source(csv, None, profile(tmp_path, csv, delimiter=";"))
    assert list(by_itself.csv.read().columns) == ["a", "b;c"]
    assert overruled.csv.dialect == Dialect("utf-8", ";")
    assert list(overruled.read()["csv"].columns) == ["a,b", "c"]
    assert read_cells(overruled, [("csv", 1)]).to_dict("records") == [{"a,b": "s,t", "c": "u"}]


def test_a_line_is_found_by_the_dialect_of_the_profile(tmp_path: Path) -> None:
    csv = write(tmp_path, 'a,b;c\n1,2;"3\n4"\n5,6;7\n')
    assert find_lines(describe_source(csv, None, profile(tmp_path, csv, delimiter=";")).csv, {1}) == {1: 4}


def test_the_encoding_is_that_of_the_profile_too(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b\né,1\n", encoding="cp1252")
    assert describe_source(csv, None, profile(tmp_path, csv)).csv.read()["a"].tolist() == ["é"]
    wrong = describe_source(csv, None, profile(tmp_path, csv, encoding="utf-8"))
    with pytest.raises(DataError, match=r"t\.csv is not in utf-8, as it was when profile\.json was made"):
        wrong.read()


def test_no_step_after_the_profile_sniffs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = pd.read_csv(ROOT / "data/heart.csv")
    heart.iloc[:300].to_csv(tmp_path / "table.csv", index=False)
    heart.iloc[300:400].to_csv(tmp_path / "test.csv", index=False, sep=";")

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was sniffed again")

    monkeypatch.setattr("loramake.tables.reading.sniff", refuse)
    monkeypatch.setattr(tables, "sniff", refuse)
    experiment = Experiment(tmp_path, tmp_path / "table.csv", test_csv=tmp_path / "test.csv")
    assert sum(record["source"] == "test_csv" for record in experiment.execute()) == 100
    assert experiment.verify()["checks"]


def test_the_test_table_has_the_columns_of_the_csv(tmp_path: Path) -> None:
    csv = write(tmp_path, "Age,sex,y\n40,F,1\n")
    test = write(tmp_path, "y;extra;SEX ;age\n0;x;M;50\n", "test.csv")
    source = describe_source(csv, test, profile(tmp_path, csv, test))
    assert source.read()["test_csv"].to_dict("records") == [{"Age": "50", "sex": "M", "y": "0"}]
    assert source.test_csv is not None
    assert source.test_csv.dialect.delimiter == ";"


def test_a_profile_without_the_test_table_is_named(tmp_path: Path) -> None:
    csv = write(tmp_path, "a,b\n1,2\n")
    with pytest.raises(ArtifactError, match=r"profile\.json does not describe .*test\.csv: delete it"):
        describe_source(csv, tmp_path / "test.csv", profile(tmp_path, csv))


def test_rows_are_taken_by_their_keys_in_order() -> None:
    whole = {"csv": pd.DataFrame({"a": ["x", "y"]}), "test_csv": pd.DataFrame({"a": ["z"]})}
    keys = [("test_csv", 0), ("csv", 1), ("csv", 0)]
    assert find_missing(whole, keys) is None
    assert take_rows(whole, keys)["a"].tolist() == ["z", "y", "x"]
    assert find_missing(whole, [("csv", 0), ("csv", 2)]) == ("csv", 2)
    assert find_missing(whole, [("test_csv", -1)]) == ("test_csv", -1)
    assert find_missing({"csv": whole["csv"]}, [("test_csv", 0)]) == ("test_csv", 0)
    assert take_rows(whole, []).empty


def test_a_test_table_in_another_format_is_read_in_its_own_or_refused(tmp_path: Path) -> None:
    rows = "".join(f"{i}.5,2024-01-{1 + i % 28:02},{i % 2}\n" for i in range(40))
    csv = write(tmp_path, f"a,day,y\n{rows}")
    german = write(tmp_path, 'a;day;y\n"1.234,5";31.01.2024;1\n7,25;01.02.2024;0\n', "german.csv")
    test = describe_source(csv, german, profile(tmp_path, csv, german)).read()["test_csv"]
    assert test.to_dict("list") == {"a": ["1234.5", "7.25"], "day": ["2024-01-31", "2024-02-01"], "y": ["1", "0"]}
    for cells, sentence in (
        ("1,03/07/2024", "day '03/07/2024' may be two dates"),
        ('"1,250",x', "a '1,250' may be two"),
    ):
        unclear = write(tmp_path, f"a,day,y\n{cells},1\n", "unclear.csv")
        with pytest.raises(DataError, match=rf"unclear\.csv: {sentence}"):
            describe_source(csv, unclear, profile(tmp_path, csv, unclear)).read()
