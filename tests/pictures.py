"""What is drawn in an SVG, which must be well formed."""

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
