"""The cache in results/.cache/agent: replies, and the request format of each server.

A results folder may come from somebody else, and files get damaged: a file that breaks its schema counts as absent.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from loramake import artifacts, schemas
from loramake.agents.http_client import MOST_BYTES
from loramake.artifact_types.agents import Reply, Way
from loramake.errors import ArtifactError
from loramake.schemas import Content, Schema

CACHE = Path("results/.cache/agent")
_WAYS = "ways.json"


def reply_path(question: dict[str, Any]) -> Path:
    """Where the reply to a question lies: named by the hash of the whole question."""
    text = json.dumps(question, sort_keys=True)
    return CACHE / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def read_reply(path: Path) -> Reply | None:
    """A cached reply, or None if there is no readable one."""
    return _read(path, schemas.AGENT_REPLY)


def write_reply(path: Path, reply: Reply) -> None:
    """Cache a reply."""
    artifacts.write(path, reply, schemas.AGENT_REPLY)


def read_way(server: str) -> Way:
    """The request format of a server (address and model): its `rung` and `limit`; {} if unknown."""
    return (_read(CACHE / _WAYS, schemas.AGENT_WAYS) or {}).get(server, {})


def remember_way(server: str, way: Way) -> None:
    """Add to a server's request format."""
    ways = _read(CACHE / _WAYS, schemas.AGENT_WAYS) or {}
    ways[server] = {**ways.get(server, {}), **way}
    artifacts.write(CACHE / _WAYS, ways, schemas.AGENT_WAYS)


def _read(path: Path, schema: Schema[Content]) -> Content | None:
    try:
        if path.is_file() and path.stat().st_size <= 2 * MOST_BYTES:
            return artifacts.read(path, schema)
    except (ArtifactError, OSError):
        pass
    return None
