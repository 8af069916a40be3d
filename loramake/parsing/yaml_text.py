"""YAML within limits: the only module of the project that loads it.

Anchors, aliases and merge keys work as long as their expansion stays small. Stricter than PyYAML: a key may not be
repeated, nothing may contain itself, and only the tags of JSON's types and of dates are accepted.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import Reader

from loramake.parsing import DEPTH, DIGITS, MIB, ParsingError, decode, read_bytes, without_collector
from loramake.text import quoted, shorten

VALUES = 50_000
"""Values in one file, aliases expanded; long texts count once per 256 characters."""

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_TAGS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "merge")}
_NOT_YAML: re.Pattern[str] = Reader.NON_PRINTABLE
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster


def read_yaml(path: Path, most: int = MIB, values: int = VALUES, as_text: bool = False) -> Any:
    """The content of a YAML file of at most so many bytes, None if it is empty; see `parse_yaml`."""
    return parse_yaml(decode(read_bytes(path, most)), values, as_text)


def parse_yaml(text: str, values: int = VALUES, as_text: bool = False) -> Any:
    """The value of YAML text; ParsingError, with the line, if it is not YAML, or too large.

    `as_text` leaves every scalar as the text written: No is not False.
    """
    if invalid := _NOT_YAML.search(text):
        line = text.count("\n", 0, invalid.start()) + 1
        raise ParsingError(f"line {line}: the character U+{ord(invalid[0]):04X} is not allowed in YAML")
    loader = _Loader(text, values, as_text)
    try:
        with without_collector():
            return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        mark, last = error.problem_mark or error.context_mark, text.rstrip().count("\n")
        line = last if mark is None else min(mark.line, last)  # libyaml may point past the end
        raise ParsingError(f"line {line + 1}: {quoted(' '.join(reason.split()))}") from error
    except yaml.YAMLError as error:
        raise ParsingError(quoted(" ".join(str(error).split()))) from error
    finally:
        loader.dispose()


def _at(mark: Any, reason: str) -> str:
    return f"line {mark.line + 1}: {reason}"


class _Limits(Composer, SafeConstructor):
    """Checks of a loader beyond PyYAML's."""

    peek_event: Any  # the parser's
    check_event: Any

    def __init__(self, values: int, as_text: bool) -> None:
        Composer.__init__(self)
        self._most, self._as_text = values, as_text
        self._values, self._depth, self._deepest = 0, 0, 0
        self._extents: dict[int, tuple[int, int]] = {}
        """The values and levels of each complete node, aliases expanded."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        mark, is_alias = self.peek_event().start_mark, self.check_event(yaml.AliasEvent)
        before, outer = self._values, self._deepest
        self._depth += 1
        self._deepest = self._depth
        self._check_depth(mark)
        node = super().compose_node(parent, index)
        if is_alias:
            if id(node) not in self._extents:
                raise ParsingError(_at(mark, "an alias is inside what it repeats"))
            values, levels = self._extents[id(node)]
            self._values += values
            self._deepest = self._depth + levels
            self._check_depth(mark)
        else:
            self._values += 1 + (len(node.value) >> 8 if isinstance(node, ScalarNode) else 0)
            self._extents[id(node)] = self._values - before, self._deepest - self._depth
        if self._values > self._most:
            raise ParsingError(_at(mark, f"more than {self._most:,} values up to here, with aliases expanded"))
        self._depth -= 1
        self._deepest = max(outer, self._deepest)
        return node

    def _check_depth(self, mark: Any) -> None:
        if self._deepest > DEPTH + 1:
            raise ParsingError(_at(mark, f"it is nested more than {DEPTH} levels deep"))

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise ParsingError(_at(key.start_mark, "a list or a mapping is used as a key: put text into quotes"))
            name = (key.tag, key.value)
            if name in lines and key.tag != _MERGE:
                first = f"first in line {lines[name] + 1}"
                raise ParsingError(_at(key.start_mark, f"the key {shorten(key.value, 60)!r} appears twice, {first}"))
            lines[name] = key.start_mark.line
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[misc]  # of the loader's Resolver
        return _TEXT if self._as_text and kind is ScalarNode and tag != _MERGE else tag

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        if node.tag not in _TAGS:
            tag = shorten(str(node.tag).removeprefix(_TAG), 60)
            raise ParsingError(_at(node.start_mark, f"the tag {tag} is not accepted here: leave it out"))
        if node.tag in _NUMBERS and len(node.value) > DIGITS:
            raise ParsingError(_at(node.start_mark, f"a number of {len(node.value):,} characters"))
        try:
            return super().construct_object(node, deep)
        except (ParsingError, yaml.YAMLError):
            raise
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            reason = f"{shorten(str(node.value), 60)!r} is not a {node.tag.removeprefix(_TAG)}: quote it"
            raise ParsingError(_at(node.start_mark, reason)) from error


class _Loader(_Limits, _PARSER):  # type: ignore[misc]
    def __init__(self, text: str, values: int, as_text: bool) -> None:
        _PARSER.__init__(self, text)
        _Limits.__init__(self, values, as_text)
