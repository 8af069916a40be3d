"""Where an agent's model is and how to reach it: from the configuration, the environment or a .env file."""

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dotenv

from loramake.console import keep_secret
from loramake.errors import ConfigError

_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Connection:
    """An OpenAI-compatible endpoint and the models to ask there."""

    base_url: str
    model: str
    """For decisions."""
    coder: str
    """For code."""
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        """Host and port, as a person is told."""
        return urllib.parse.urlsplit(self.base_url).netloc


def connect(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Connection:
    """The connection of the settings agent_api_base, agent_model and coder_model; what they leave open is looked up.

    Environment variables OPENAI_BASE_URL, OPENAI_API_KEY, and the older openAI_endpoint (host:port), auth_key,
    agent_LLM, coder_LLM; those of .env in the working folder come last. ConfigError where something is missing.
    """
    known = _environment() if environment is None else environment
    base_url = read_url(settings["agent_api_base"] or _first(known, "OPENAI_BASE_URL", "openAI_endpoint") or _OPENAI)
    key = _first(known, "OPENAI_API_KEY", "auth_key")
    if key:
        keep_secret(key)
        if not key.isascii():
            raise ConfigError("OPENAI_API_KEY holds a character that no key has, such as …: copy the key again.")
    elif base_url == _OPENAI:
        raise ConfigError(
            "agent: openai needs a key, or another endpoint: put OPENAI_API_KEY into the environment or into .env, "
            "or set agent_api_base."
        )
    model = settings["agent_model"] or _first(known, "agent_LLM")
    if not model:
        raise ConfigError("agent: openai needs a model: set agent_model in config.yaml, or agent_LLM in .env.")
    return Connection(base_url, model, settings["coder_model"] or _first(known, "coder_LLM") or model, key or "none")


def _environment() -> dict[str, str]:
    """The environment's variables over those of .env, which are not put into it: no other program is to see them."""
    written = dotenv.dotenv_values(Path(".env")) if Path(".env").is_file() else {}
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _first(known: Mapping[str, str], *names: str) -> str | None:
    return next((known[name].strip() for name in names if known.get(name, "").strip()), None)


def read_url(text: str) -> str:
    """A base URL with a scheme and a path; `host:port` means http and /v1. ConfigError where it holds a password."""
    text = text.strip()
    parts = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    if parts.username or parts.password:
        raise ConfigError("agent_api_base: put the key into OPENAI_API_KEY, not into the address.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"agent_api_base: {text} is no address: write, for example, http://127.0.0.1:8000/v1.")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))
