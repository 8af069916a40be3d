"""Addresses of endpoints, as users write them: read here only, and never with a key in them."""

import re
import urllib.parse

from loramake.errors import ConfigError

_KEY_IN_ADDRESS = re.compile(r"[?#;=]|://[^/]*@|/(sk|key)-[\w-]{8,}")
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


def read_url(text: str, where: str = "agent_api_base") -> str:
    """A base URL with a scheme and a path; `host:port` means http and /v1.

    ConfigError, which does not repeat the text, if it is not an address or has a part that may contain a key: a user
    name, a query, a fragment, a parameter. `where` names the setting or variable.
    """
    text = text.strip()
    full = text if "://" in text else f"http://{text}"
    try:
        parts = urllib.parse.urlsplit(full)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_address = urllib.parse.urlsplit(""), False
    if _KEY_IN_ADDRESS.search(full):
        raise ConfigError(
            f"{where}: the address contains a user name, a query (?…), a fragment (#…) or a key: put the key into "
            f"OPENAI_API_KEY, and write the address alone, such as http://127.0.0.1:8000/v1."
        )
    if not is_address or not _HOST.fullmatch(parts.netloc):
        raise ConfigError(f"{where}: that is not an address: write, for example, http://127.0.0.1:8000/v1.")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))
