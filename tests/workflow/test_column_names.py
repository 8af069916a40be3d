"""Columns with names that YAML and Snakemake would read as something else, with the real command."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, make_workplace, snakemake

TASK = "results/exp/task.json"


def place_of(folder: Path, target: str, **settings: object) -> Path:
    penguins = pd.read_csv(ROOT / "data/penguins.csv").head(60).rename(columns={"sex": target})
    penguins.to_csv(folder / "t.csv")
    return make_workplace(folder, Path("t.csv"), **settings)


@pytest.mark.parametrize("name", ["007", "1e3", "a: b", "null"])
def test_a_column_on_the_command_line_is_taken_as_written_by_its_jobs_too(tmp_path: Path, name: str) -> None:
    done = snakemake(place_of(tmp_path, name), TASK, "--config", f"target={name}")
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / TASK).read_text(encoding="utf-8"))["target"] == name
    assert "without a name, so left out: column 1" in done.stdout


def test_a_column_in_the_configuration_is_taken_as_written_by_its_jobs_too(tmp_path: Path) -> None:
    place_of(tmp_path, "no")
    with (tmp_path / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("target: no\n")
    done = snakemake(tmp_path, TASK)
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / TASK).read_text(encoding="utf-8"))["target"] == "no"
