"""A stage imports downwards only, and a new module has to be placed among the stages."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIN, ROOT


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package in a folder, by the contract of pyproject.toml."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [str(BIN / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "loramake", tmp_path / "loramake", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_no_stage_imports_from_one_above_it(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


def test_an_upward_import_and_a_module_that_lies_nowhere_are_found(copy: Path) -> None:
    path = copy / "loramake/explore/profile.py"
    path.write_text("import loramake.review.changes\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert "loramake.explore.profile -> loramake.review.changes" in done.stdout
    (copy / "loramake/helpers.py").write_text("", encoding="utf-8")
    assert "helpers" in lint(copy).stdout


@pytest.mark.parametrize("folder", ["benchmarks", "support"])
def test_what_tests_and_benchmarks_share_lies_in_support(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imported = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        imported += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
        assert not [name for name in imported if name.split(".")[0] == "tests"], path
