"""The time of each rule, as far as Snakemake wrote it."""

import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from loramake.report.timings import read_timings, timings_table


def test_what_snakemake_did_not_write_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "profile_csv.tsv").write_text("s\th:m:s\n1.5\t0:00:01\n", encoding="utf-8")
    (tmp_path / "run_prediction.tsv").write_text("s\th:m:s\n2.5\t0:00:02\n", encoding="utf-8")
    for name, text in (("words", "s\nabc\n"), ("empty", ""), ("other", "a\tb\n1\t2\n"), ("huge", "s\n1\n" * 100_000)):
        (tmp_path / f"{name}.tsv").write_text(text, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.tsv")
    assert read_timings(tmp_path) == {"run_prediction": 2.5, "profile_csv": 1.5}


def test_the_longest_rules_have_a_line_each_and_the_others_one(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(timings_table({f"rule_{seconds}": float(seconds) for seconds in range(9, 0, -1)}))
    shown = capsys.readouterr().out
    assert "rule_5" in shown
    assert "rule_4" not in shown
    assert re.search(r"4 others\W+10\.0", shown)
    assert re.search(r"all\W+45\.0", shown)
