"""Rendering the templates: strict, so that a missing variable is an error."""

import functools
import hashlib
import pprint
import re
from typing import Any

import jinja2

from loramake.console import printable
from loramake.paths import TEMPLATES
from loramake.text import as_percent, format_threshold


@functools.cache
def _environment(is_page: bool) -> jinja2.Environment:
    """The templates' environment; values in a page that people read are made printable, those in code are kept."""
    environment = jinja2.Environment(
        finalize=_printable if is_page else None,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: bool(name) and "html" in str(name),
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["python"] = lambda value: pprint.pformat(value, width=100, sort_dicts=False)
    environment.filters["fenced"] = fenced
    environment.filters["markdown"] = in_markdown
    environment.filters["as_percent"] = as_percent
    environment.filters["format_threshold"] = format_threshold
    environment.filters["spoken"] = lambda words: fenced(words, "owner")
    return environment


def _printable(value: object) -> object:
    """Printable text; Markup stays Markup."""
    return type(value)(printable(value)) if isinstance(value, str) else value


def fenced(data: object, source: str = "data") -> str:
    """Text from a table, or from its owner, between tags that it cannot contain: they are made from its own hash."""
    text = str(data)
    tag = f"{source}-{hashlib.sha256(text.encode('utf-8', errors='surrogatepass')).hexdigest()[:8]}"
    return f"<{tag}>\n{text}\n</{tag}>"


def in_markdown(value: object) -> str:
    """A cell or a name inside a line of Markdown: it breaks no table and opens no tag, link or code."""
    line = " ".join("".join(character if character.isprintable() else " " for character in str(value)).split())
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", line)


def render(template: str, **values: Any) -> str:
    """The text of templates/{template} with the values filled in."""
    return _environment(".html." in template or ".md." in template).get_template(template).render(**values)
