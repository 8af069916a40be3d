"""The report in a real browser, Debian's chromium driven by Playwright; skipped only where there is no chromium."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def report(finished: Path) -> str:
    return (finished / "results/exp/report.html").resolve().as_uri()


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


def test_keys_reach_the_contents_and_their_sections(browser: Browser, report: str) -> None:
    page, _, _ = opened(browser, report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/report.html#performance", timeout=10_000)  # the address follows the key only later


def test_a_narrow_window_does_not_scroll_sideways_and_print_opens_what_is_folded(browser: Browser, report: str) -> None:
    page, _, _ = opened(browser, report)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length > 0")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    rows = page.evaluate("[...document.querySelectorAll('#making tr')].map((row) => row.offsetHeight)")
    assert max(rows) < 800, "no cell is squeezed to a few letters a line"
    assert page.pdf()[:5] == b"%PDF-"


def test_what_a_cell_says_cannot_run(browser: Browser, report: str, tmp_path: Path, finished: Path) -> None:
    page = (finished / "results/exp/report.html").read_text(encoding="utf-8")
    injected = page.replace("</main>", "<script>window.pwned = 1</script><img src=x onerror='pwned = 1'></main>")
    assert injected != page
    (tmp_path / "report.html").write_text(injected, encoding="utf-8")
    opened_page, _, _ = opened(browser, (tmp_path / "report.html").as_uri())
    assert opened_page.evaluate("window.pwned") is None
