"""Takes the picture of a report that README shows: the top of the page, 1280 pixels wide; needs chromium.

python docs/screens/capture_report.py results/demo/report.html [report.png]      writes docs/screens/report.png
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from loramake.hashes import hash_files
from loramake.paths import TEMPLATES

OUT = Path(__file__).with_name("report.png")
WIDTH, HEIGHT = 1280, 1350
MADE_FROM = "made from"
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
    made_from = PngInfo()
    made_from.add_text(MADE_FROM, hash_templates())
    Image.open(out).convert("RGB").quantize(COLOURS).save(out, optimize=True, pnginfo=made_from)


def hash_templates() -> str:
    """The hash of what the page is rendered from, by which a test knows an old picture."""
    return hash_files([TEMPLATES / "render_report.html.j2", *sorted(TEMPLATES.glob("render_report/*"))])


if __name__ == "__main__":
    capture(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
