"""What is drawn in an SVG, which must be well formed."""

import re
from pathlib import Path
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    """Every text."""
    contents = [
        "".join(element.itertext()).strip() for element in ElementTree.parse(path).getroot().iter(f"{_SVG}text")
    ]
    return [text for text in contents if text]


def markers(path: Path) -> int:
    """How many points of curves are drawn as signs: only what is within the axes is clipped, no tick is."""
    groups = ElementTree.parse(path).getroot().iter(f"{_SVG}g")
    return sum(len(group.findall(f"{_SVG}use")) for group in groups if group.get("clip-path"))


def letter_size(path: Path, width: float) -> float:
    """The size of the smallest letters where the picture is `width` pixels wide."""
    drawing = path.read_text(encoding="utf-8")
    (natural,) = re.findall(r'<svg [^>]*?width="([\d.]+)pt"', drawing, re.S)
    return min(map(float, re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", drawing))) * width / float(natural)


def colours(path: Path) -> set[str]:
    """Every colour of lines, areas and letters in the light."""
    return set(re.findall(r"#[0-9a-f]{6}", " ".join(re.findall(r' style="([^"]*)"', path.read_text(encoding="utf-8")))))
