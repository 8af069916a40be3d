"""Every rule has a script of its name, and every script is thin: it runs with a fake `snakemake` object."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loramake import artifacts
from tests.conftest import ROOT

RULES = re.findall(
    r"^rule (\w+):$", "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk"))), re.M
)


class Names(list[str]):
    """Named files, as Snakemake hands them over: by name and by place."""

    def __init__(self, **named: str) -> None:
        super().__init__(named.values())
        self.__dict__.update(named)


def run(rule: str, log: Path, **parts: Any) -> None:
    fake = SimpleNamespace(log=[str(log)], **parts)
    runpy.run_path(str(ROOT / f"scripts/{rule}.py"), init_globals={"snakemake": fake})


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_its_script_and_its_log_carry_the_same_name(rule: str) -> None:
    script = ROOT / f"scripts/{rule}.py"
    assert script.is_file()
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 40
    assert f"logs/{rule}.log" in "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))


def test_there_is_no_script_without_a_rule() -> None:
    assert {path.stem for path in (ROOT / "scripts").glob("*.py")} == set(RULES)


def test_a_script_makes_its_artifact_and_its_log(tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    run(
        "profile_csv",
        tmp_path / "log",
        input=Names(csv=str(ROOT / "data/heart.csv"), test_csv=""),
        output=Names(profile=str(out)),
    )
    assert artifacts.read(out, "profile")["rows"] == 918
    assert "918 rows" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_users_error_is_one_sentence_on_the_terminal_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    csv = tmp_path / "empty.csv"
    csv.touch()
    with pytest.raises(SystemExit) as caught:
        run("profile_csv", tmp_path / "log", input=Names(csv=str(csv), test_csv=""), output=Names(profile="x.json"))
    assert str(caught.value) == f"loramake: {csv} is empty: it needs a header line and rows."
    assert "Traceback" in (tmp_path / "log").read_text(encoding="utf-8")


def test_the_library_never_imports_snakemake_and_the_snakefile_is_a_table_of_contents() -> None:
    for path in (ROOT / "loramake").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(encoding="utf-8"), re.M), path
    assert len((ROOT / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 60
