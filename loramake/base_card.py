"""What a base model's README.md says under `loramake:` in its front matter: how rows are written, how it is trained.

The file comes from whoever made the model: schemas/llm/card.schema.yaml lists all that it may set.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loramake import artifacts, schemas
from loramake.artifact_types.llm import Card
from loramake.errors import ArtifactError, ConfigError
from loramake.parsing import ParsingError
from loramake.parsing.yaml_text import parse_yaml

CARD = "README.md"
_LONGEST = 64 * 1024  # characters of front matter; models/tiny has 1,000
_NOT_READ = f"correct it, or delete {CARD} to do without it"


def read_base_card(model: str) -> dict[str, Any]:
    """The card of a base model's folder, its front matter's `loramake:`; {} if there is none.

    ConfigError for an unreadable card and for a key that no card may set; `check_base_card` checks the values.
    """
    path = Path(model) / CARD
    front = _front_matter(path) if path.is_file() else ""
    card = _parse(front, path).get("loramake") if front else None
    if card is None:
        return {}
    if not isinstance(card, dict) or not isinstance(card.get("settings", {}), dict):
        raise ConfigError(f"{path}: loramake: and its settings: are not mappings of keys to values: {_NOT_READ}.")
    _check_keys(card, path)
    return card


def check_base_card(card: Mapping[str, Any], model: str) -> Card:
    """The card, checked; ConfigError for a value that it may not have."""
    try:
        checked = artifacts.checked(card, schemas.CARD, f"{Path(model) / CARD}: loramake", f": {_NOT_READ}")
        json.dumps(card, ensure_ascii=False).encode()
    except ArtifactError as error:
        raise ConfigError(str(error)) from error
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{Path(model) / CARD}: loramake: contains half a character ({error}): {_NOT_READ}."
        ) from error
    return checked


def _front_matter(path: Path) -> str:
    """The text between a file's first line, `---`, and the next such line; empty if it does not mention loramake."""
    with path.open("rb") as file:
        text = file.read(4 * _LONGEST + 1).decode("utf-8", errors="replace")
    start, *rest = text.split("---", 2)
    is_cut = len(text) > 4 * _LONGEST  # then its end may not have been read
    front = rest[0] if not start.strip() and (len(rest) == 2 or (rest and is_cut)) else ""
    if "loramake" not in front:
        return ""
    if len(front) > _LONGEST:
        raise ConfigError(f"{path}: its front matter is longer than {_LONGEST:,} characters: {_NOT_READ}.")
    return front


def _parse(front: str, path: Path) -> dict[str, Any]:
    try:
        read = parse_yaml(front)
    except ParsingError as error:
        raise ConfigError(f"{path}: its front matter is not valid YAML ({error}): {_NOT_READ}.") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{path}: its front matter is not a mapping of keys to values: {_NOT_READ}.")
    return read


def _check_keys(card: Mapping[str, Any], path: Path) -> None:
    properties = artifacts.load_schema("card")["properties"]
    for key in card:
        if key not in properties:
            raise ConfigError(f"{path}: a base model's card may not set {str(key)[:100]!r}: {_NOT_READ}.")
    for key in card.get("settings", {}):
        if key not in properties["settings"]["properties"]:
            name = str(key)[:100]
            raise ConfigError(
                f"{path}: a base model's card may not set {name}, only how rows are written and the model is trained: "
                f"delete that line, and set {name} in your own config.yaml if you want it."
            )
