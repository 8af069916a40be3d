"""The pages of docs/ against what they speak of."""

import re

from tests.conftest import ROOT


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert [line for line in rows if "`test_" not in line] == []
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"^def (test_\w+)\(", tests, re.M)) == set()
