"""What is remembered in results/.cache/agent: replies, and how each server wants to be asked.

A results folder may come from somebody else, and files get damaged: what is not as its schema says counts as absent.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loramake import artifacts, schemas
from loramake.agents.http_client import MOST_BYTES
from loramake.artifact_types.agents import ReplyContent, Way
from loramake.errors import ArtifactError
from loramake.schemas import Content, Schema

CACHE = Path("results/.cache/agent")
_WAYS = "ways.json"


@dataclass(frozen=True)
class Reply:
    """One answer of a model."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    seconds: float
    is_whole: bool
    """Whether it ended by itself, not at the limit of its length."""


def place_of(question: dict[str, Any]) -> Path:
    """Where the reply to a question lies: by the hash of all that is asked."""
    text = json.dumps(question, sort_keys=True)
    return CACHE / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def read_reply(path: Path) -> Reply | None:
    """A remembered reply, or None where there is none that can be read."""
    known = _read(path, schemas.AGENT_REPLY)
    return None if known is None else Reply(**known)


def write_reply(path: Path, reply: Reply) -> None:
    """Remember a reply."""
    content: ReplyContent = {
        "text": reply.text,
        "model": reply.model,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "seconds": reply.seconds,
        "is_whole": reply.is_whole,
    }
    artifacts.write(path, content, schemas.AGENT_REPLY)


def known_way(server: str) -> Way:
    """How a server (address and model) wants to be asked, by what differs: `rung`, `limit`; {} if unknown."""
    return (_read(CACHE / _WAYS, schemas.AGENT_WAYS) or {}).get(server, {})


def remember_way(server: str, way: Way) -> None:
    """Add to what is known of a server."""
    known = _read(CACHE / _WAYS, schemas.AGENT_WAYS) or {}
    known[server] = {**known.get(server, {}), **way}
    artifacts.write(CACHE / _WAYS, known, schemas.AGENT_WAYS)


def _read(path: Path, schema: Schema[Content]) -> Content | None:
    try:
        if path.is_file() and path.stat().st_size <= 2 * MOST_BYTES:
            return artifacts.read(path, schema)
    except (ArtifactError, OSError):
        pass
    return None
