"""The report in a real browser, Debian's chromium driven by Playwright; skipped only where there is no chromium."""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from loramake.plots.evaluation import plot_confusion_matrix
from tests.conftest import ROOT
from tests.pages import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


LABELS = [f"label number {index}" for index in range(100)]
COLUMNS = [f"a_long_column_name_of_the_kind_that_exports_have_{index}" for index in range(30)]


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of 100 labels and 30 columns of long names, on which every section has something."""
    return write_page(tmp_path_factory.mktemp("full"), LABELS, COLUMNS).resolve().as_uri()


@pytest.fixture(params=["of a run", "full"])
def report(request: pytest.FixtureRequest) -> str:
    """The address of a page."""
    if request.param == "full":
        return str(request.getfixturevalue("full_page"))
    return (request.getfixturevalue("finished") / "results/exp/report.html").resolve().as_uri()


def opened(browser: Browser, address: str, scheme: str = "light") -> tuple[Page, list[str], list[str]]:
    """The page, what its console said, and what it asked for."""
    page = browser.new_page(color_scheme=scheme, bypass_csp=False)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address, wait_until="load")
    return page, said, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_a_word_on_the_console_and_asks_for_nothing(
    browser: Browser, report: str, scheme: str
) -> None:
    page, said, asked = opened(browser, report, scheme)
    assert said == []
    assert [address for address in asked if not address.startswith("data:")] == [report]
    broken = page.evaluate("[...document.images].filter((image) => !image.complete || !image.naturalWidth).length")
    assert (broken, page.evaluate("document.images.length > 7")) == (0, True)
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (luminance(colours[0]) > luminance(colours[1])) == (scheme == "light")


def luminance(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_a_screen_reader_or_weak_eyes_would_miss(
    browser: Browser, report: str, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(report)
    violations = Axe().run(page)
    assert violations.violations_count == 0, violations.generate_report()


def test_keys_reach_the_contents_and_their_sections(browser: Browser, full_page: str) -> None:
    page, _, _ = opened(browser, full_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/report.html#use", timeout=10_000)  # the address follows the key only later


def test_a_narrow_window_does_not_scroll_sideways_and_print_opens_what_is_folded(browser: Browser, report: str) -> None:
    page, _, _ = opened(browser, report)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length > 0")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.pdf()[:5] == b"%PDF-"


BROKEN_WORDS = """() => {
  const broken = [];
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const style = getComputedStyle(texts.currentNode.parentElement);
    const most = 0.8 * window.innerWidth / (0.6 * parseFloat(style.fontSize));
    for (const word of texts.currentNode.data.matchAll(/[^\\s\u2010-\u2015-]+/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (lines.size > 1 && word[0].length < most) broken.push(word[0]);
    }
  }
  return broken;
}"""
"""Words on two lines that would fit into one."""


def test_no_word_is_broken_in_a_narrow_window(browser: Browser, report: str) -> None:
    page, _, _ = opened(browser, report)
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(BROKEN_WORDS) == []
    page.evaluate("document.querySelector('dd').style.width = '2em'")
    page.evaluate("document.querySelector('dd').style.overflowWrap = 'anywhere'")
    assert page.evaluate(BROKEN_WORDS) != [], "a broken word is found"


def test_captions_stay_where_a_table_scrolls(browser: Browser, full_page: str) -> None:
    page, _, _ = opened(browser, full_page)
    page.set_viewport_size({"width": 390, "height": 800})
    wide = page.evaluate(
        "[...document.querySelectorAll('figcaption')].filter((caption) => caption.getBoundingClientRect().right > 390)"
        ".length"
    )
    scrolling = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((part) => part.scrollWidth > part.clientWidth).length"
    )
    assert (wide, scrolling > 5) == (0, True)


def test_nothing_is_cut_off_or_scrolled_on_paper(browser: Browser, full_page: str) -> None:
    page, _, _ = opened(browser, full_page)
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 with margins of 12 mm
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(CUT_OFF) != [], "tables that scroll on the screen"
    page.emulate_media(media="print")
    assert page.evaluate(CUT_OFF) == []
    names = page.locator("#performance tbody th:visible").all_inner_texts()
    assert [name for name in names if name in LABELS] == LABELS


CUT_OFF = """[...document.querySelectorAll("table, img, pre")]
    .filter((part) => part.getBoundingClientRect().right > document.body.clientWidth)
    .map((part) => part.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_drawn_on_the_colour_of_the_page(browser: Browser, report: str, scheme: str) -> None:
    page, _, _ = opened(browser, report, scheme)
    paper = {"light": (255, 255, 255), "dark": (24, 29, 38)}[scheme]
    pictures = page.locator("img:visible")
    assert pictures.count() >= 8
    for picture in pictures.all():
        pixels = Image.open(io.BytesIO(picture.screenshot())).convert("RGB")
        assert pixels.getpixel((1, 1)) == pytest.approx(paper, abs=3)  # smoothed at the edge
        darkest, lightest = pixels.convert("L").getextrema()
        assert lightest - darkest > 150, "letters stand out from the paper"


def test_no_text_reaches_out_of_a_picture(browser: Browser, full_page: str, tmp_path: Path) -> None:
    page = browser.new_page()
    pictures = sorted(Path(unquote(urlsplit(full_page).path)).parent.glob("*.svg"))
    assert len(pictures) == 10
    few_labels = tmp_path / "confusion_matrix.svg"
    plot_confusion_matrix(np.eye(2, dtype=int), ["a label of many words, no", "a label of many words, yes"], few_labels)
    for picture in (*pictures, few_labels):
        page.goto(picture.as_uri())
        assert page.evaluate(REACHING_OUT) == [], picture


REACHING_OUT = """() => {
  const whole = document.documentElement.getBoundingClientRect();
  return [...document.querySelectorAll("text")]
    .filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < whole.left - 1 || box.right > whole.right + 1 || box.bottom > whole.bottom + 1;
    })
    .map((text) => text.textContent);
}"""


def test_the_picture_for_readme_is_small_and_as_wide_as_a_window(finished: Path, tmp_path: Path) -> None:
    script, out = ROOT / "docs/screens/capture_report.py", tmp_path / "report.png"
    subprocess.run([sys.executable, script, finished / "results/exp/report.html", out], check=True)
    assert Image.open(out).size[0] == 1280
    assert out.stat().st_size <= 300_000


def test_what_a_cell_says_cannot_run(browser: Browser, tmp_path: Path, finished: Path) -> None:
    page = (finished / "results/exp/report.html").read_text(encoding="utf-8")
    injected = page.replace("</main>", "<script>window.pwned = 1</script><img src=x onerror='pwned = 1'></main>")
    assert injected != page
    (tmp_path / "report.html").write_text(injected, encoding="utf-8")
    opened_page, _, _ = opened(browser, (tmp_path / "report.html").as_uri())
    assert opened_page.evaluate("window.pwned") is None
