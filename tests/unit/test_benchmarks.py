"""Every benchmark says what it measures and how it is called, before it measures anything."""

import runpy
import sys

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks"
SHARED = "running"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != SHARED)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_answers_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the training extra")
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {name}.py")
