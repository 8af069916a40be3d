"""Where an agent's model runs and how to reach it: from the configuration, the environment or a .env file."""

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dotenv

from loramake.addresses import read_url
from loramake.console import keep_secret
from loramake.errors import ConfigError
from loramake.parsing import ParsingError, decode, read_bytes

_OPENAI = "https://api.openai.com/v1"
_LONGEST_KEY = 10_000
_URLS = ("OPENAI_BASE_URL", "openAI_endpoint")


@dataclass(frozen=True)
class Connection:
    """An OpenAI-compatible endpoint and the models to use there."""

    base_url: str
    model: str
    """For decisions."""
    coder: str
    """For code."""
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        """Host and port, as shown to a person."""
        return urllib.parse.urlsplit(self.base_url).netloc


def connect(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Connection:
    """The connection of the settings agent_api_base, agent_model and coder_model; unset ones come from variables.

    Environment variables OPENAI_BASE_URL, OPENAI_API_KEY, and the older openAI_endpoint (host:port), auth_key,
    agent_LLM, coder_LLM; those of .env in the working folder come last. ConfigError if something is missing.
    """
    variables = _environment() if environment is None else environment
    base_url = _base_url(settings["agent_api_base"], variables)
    key = _first(variables, "OPENAI_API_KEY", "auth_key")
    if key:
        keep_secret(key)
        if not key.isascii():
            raise ConfigError("OPENAI_API_KEY contains a character that no key has, such as …: copy the key again.")
    elif base_url == _OPENAI:
        raise ConfigError(
            "agent: openai needs a key, or another endpoint: put OPENAI_API_KEY into the environment or into .env, "
            "or set agent_api_base."
        )
    model = settings["agent_model"] or _first(variables, "agent_LLM")
    if not model:
        raise ConfigError("agent: openai needs a model: set agent_model in config.yaml, or agent_LLM in .env.")
    return Connection(
        base_url, model, settings["coder_model"] or _first(variables, "coder_LLM") or model, key or "none"
    )


def read_key(source: str, where: str) -> str:
    """The key in an environment variable (`env:NAME`) or a file (`file:PATH`).

    ConfigError, which repeats nothing of `source`, since that may be the key itself.
    """
    kind, _, name = source.partition(":")
    if kind == "env":
        key = os.environ.get(name, "")
    elif kind == "file":
        key = _read_key_file(Path(name).expanduser(), where)
    else:
        raise ConfigError(
            f"{where}: name where the key is, env:NAME or file:PATH, or ask: other users of this machine see command "
            "lines, and shells keep them."
        )
    if not key.strip():
        raise ConfigError(f"{where}: the {'variable' if kind == 'env' else 'file'} it names contains no key: set it.")
    return key.strip()


def _read_key_file(path: Path, where: str) -> str:
    try:
        return decode(read_bytes(path, _LONGEST_KEY))
    except (OSError, ParsingError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{where}: the file it names cannot be read ({reason}): correct its path.") from None


def _base_url(setting: str | None, variables: Mapping[str, str]) -> str:
    if setting:
        return read_url(setting)
    variable = next((name for name in _URLS if variables.get(name, "").strip()), None)
    return _OPENAI if variable is None else read_url(variables[variable], variable)


def _environment() -> dict[str, str]:
    """The environment's variables over those of .env, which are not put into it: no other program is to see them."""
    written = dotenv.dotenv_values(Path(".env")) if Path(".env").is_file() else {}
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _first(variables: Mapping[str, str], *names: str) -> str | None:
    return next((variables[name].strip() for name in names if variables.get(name, "").strip()), None)
