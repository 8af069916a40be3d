"""Takes the picture of a report that README shows: the top of the page, 1280 pixels wide; needs chromium.

python docs/screens/capture_report.py results/demo/report.html [report.png]      writes docs/screens/report.png
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

OUT = Path(__file__).with_name("report.png")
WIDTH, HEIGHT = 1280, 1700
COLOURS = 128
"""As many as keep letters and curves smooth in a file of some 100 kB."""


def capture(page: Path, out: Path) -> None:
    """The top of the page in light colours, as a PNG with a palette."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.resolve().as_uri(), wait_until="load")
        tab.screenshot(path=out)
        browser.close()
    Image.open(out).convert("RGB").quantize(COLOURS).save(out, optimize=True)


if __name__ == "__main__":
    capture(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
