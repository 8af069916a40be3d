"""Tests tokenizers' chat templates in a process of limited time and memory before anything else renders them.

transformers renders them in Jinja's sandbox, where no template reaches Python; but nothing there stops a template that
loops or grows without end. The test renders what LlamaFactory renders to learn a template's parts.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes, parser
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loramake.errors import ConfigError
from loramake.llm.models import read_json

_SECONDS = 5
_MEMORY = 2**29  # bytes
_LONGEST = 2**20  # characters of a template, and of its output
_USER, _ANSWER = {"role": "user", "content": "{{content}}"}, {"role": "assistant", "content": "{{content}}"}
_CHATS: tuple[tuple[list[dict[str, str]], bool], ...] = (
    ([{"role": "system", "content": "{{content}}"}], False),
    ([{"role": "system", "content": ""}, _USER], True),
    ([_USER], True),
    ([_USER, _ANSWER], False),
)
"""Messages, and whether the answer's header is added: those of LlamaFactory's parse_template."""


def check_chat_template(template: str, where: str, tokens: Mapping[str, Any] | None = None) -> None:
    """Raise ConfigError, naming `where`, for a template that takes too much time or memory, or outputs too much.

    Other failures are left to LlamaFactory's own message. `tokens` are the tokenizer's special tokens.
    """
    if len(template) > _LONGEST:
        raise ConfigError(f"template: the chat template in {where} is too long: set template to one of LlamaFactory's.")
    task = json.dumps({"template": template, "tokens": dict(tokens or {})}, default=str).encode()
    command = [sys.executable, "-P", "-m", "loramake.llm.chat_templates"]
    try:
        done = subprocess.run(command, input=task, capture_output=True, timeout=3 * _SECONDS, check=False)
        is_fine = done.returncode == 0
    except subprocess.TimeoutExpired:
        is_fine = False
    if not is_fine:
        raise ConfigError(
            f"template: the chat template in {where} takes more than {_SECONDS} s or {_MEMORY // 2**20} MiB: set "
            "template to one of LlamaFactory's, or name another model."
        )


def check_chat_templates(folder: Path) -> None:
    """check_chat_template for the templates in a model's folder."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            check_chat_template(file.read(_LONGEST + 1), str(path))
    config = folder / "tokenizer_config.json"
    template = read_json(config).get("chat_template") if config.is_file() else None
    if isinstance(template, str):
        check_chat_template(template, str(config))


class _Generation(Extension):
    """`{% generation %}`, a block that transformers adds to Jinja."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own attribute

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _render(template: str, tokens: Mapping[str, Any]) -> None:
    """Render all that LlamaFactory renders, as transformers does; MemoryError for too much text."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    environment.globals["raise_exception"] = _raise
    compiled = environment.from_string(template)
    for messages, has_header in _CHATS:
        variables = {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": has_header}
        length = 0
        for part in compiled.generate(**variables, **tokens):
            length += len(part)
            if length > _LONGEST:
                raise MemoryError


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """transformers' filter of this name: a template could detect another one, and behave well only here."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _main() -> None:
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS)):
        resource.setrlimit(kind, (limit, limit))
    task = json.load(sys.stdin)
    try:
        _render(task["template"], task["tokens"])
    except MemoryError:
        sys.exit("it takes too much memory")
    except Exception as error:  # the process that renders it next fails too, with a message
        print(type(error).__name__, file=sys.stderr)


if __name__ == "__main__":
    _main()
