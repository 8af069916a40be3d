"""The pictures in docs/screens show what is shown today; `make screens` makes them anew."""

import re
import runpy
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, make_workplace, snakemake
from tests.pictures import texts
from tests.workflow.test_commands import loramake

SCREENS = ROOT / "docs/screens"
REVIEWS = ("data", "balance", "config")


def letters(text: str) -> str:
    """Letters and digits alone: where lines break and how tables are framed is left to the terminal."""
    return re.sub(r"[\W_]+", "", text)


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which heart.csv is ready to be trained on, with the settings of the pictures."""
    folder = make_workplace(tmp_path_factory.mktemp("heart"))
    shutil.copy(ROOT / "data/heart.csv", folder)
    (folder / "config.yaml").write_text("experiments: {heart: {csv: heart.csv, review: approve}}\n")
    done = snakemake(folder, "results/heart/review/config.json")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.mark.parametrize("review", REVIEWS)
def test_a_picture_of_a_review_shows_what_is_shown_today(heart: Path, review: str) -> None:
    decision = heart / f"results/heart/review/{review}.json"
    decided = decision.read_bytes()
    decision.unlink()
    shown = loramake(heart, "review", "heart").stderr
    decision.write_bytes(decided)
    screen = shown[: shown.index("loramake: results/heart/review")]
    assert len(screen.splitlines()) > 5
    assert letters(screen) in letters("".join(texts(SCREENS / f"review_{review}.svg"))), "run make screens"


def test_the_picture_of_a_run_counts_the_rules_of_today() -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    count = len(re.findall(r"^rule \w+:", rules, re.M))
    shown = "".join(texts(SCREENS / "run.svg"))
    assert f"{count}/{count}" in shown, "run make screens"


def test_the_picture_of_the_page_is_made_from_the_templates_of_today() -> None:
    script = runpy.run_path(str(SCREENS / "capture_report.py"))
    assert Image.open(SCREENS / "report.png").text[script["MADE_FROM"]] == script["hash_templates"](), (
        "run make screens"
    )
