"""The pages of docs/ against what they speak of."""

import re

import pytest

from loramake import trust
from tests.conftest import ROOT


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    of_trust = page.partition("\n## ")[0]
    rows = [line for line in of_trust.splitlines() if line.startswith("|")][2:]
    assert [line for line in rows if "`test_" not in line] == []
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"^def (test_\w+)\(", tests, re.M)) == set()


def test_no_link_between_the_pages_leads_nowhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))]
    local = [(page, link) for page, link in links if not link.startswith("http")]
    assert len(local) > 50
    dead = [link for page, link in local if not (page.parent / link.partition("#")[0].replace("\\", "")).exists()]
    assert dead == []


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in contents} == set()


def test_every_rule_and_artifact_is_in_the_table_of_artifacts() -> None:
    page = (ROOT / "docs/artifacts.md").read_text(encoding="utf-8")
    rules = re.findall(r"^rule (\w+):", "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk")), re.M)
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(rules)


def test_the_example_of_the_page_on_arrays_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    (printed,) = re.findall(r"^```text\n(.*?)^```", page, re.M | re.S)
    exec(compile(code, "docs/api.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_page_on_arrays_names_all_of_them() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert [name for name in trust.__all__ if f"`{name}" not in page] == []
