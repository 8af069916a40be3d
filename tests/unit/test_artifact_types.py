"""Every schema has a type that says the same: keys, which of them may be absent, kinds of values, enumerations.

Both are told as facts, a text each, such as `columns[].missing: integer`; what differs is what only one of them says.
"""

import types
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NotRequired, TypedDict, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from loramake import schemas
from loramake.artifact_types.explore import Assignment, ValueCount
from loramake.artifact_types.shared import MadeBy
from loramake.artifacts import load_schema
from loramake.paths import SCHEMAS
from loramake.schemas import Schema

ALL = [value for value in vars(schemas).values() if isinstance(value, Schema)]

FOREIGN = {"config", "lmf_config"}
"""Settings, which are looked up by name, and arguments of LlamaFactory, of which the schema names some."""
ELSEWHERE = {
    "results": {
        "splits": ("splits",),
        "made_by": ("plan", "properties", "by"),
        "verdict": ("metrics", "properties", "verdict"),
    }
}
"""Properties that are described in another artifact's schema, and where."""

KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", Any: "anything"}

Node = dict[str, Any]


def of_type(annotation: Any, where: str = "") -> Iterator[str]:
    """The facts of a type."""
    if get_origin(annotation) in (Union, types.UnionType):
        yield from of_several(get_args(annotation), of_type, where, is_typeddict, get_type_hints)
    elif is_typeddict(annotation):
        yield f"{where}: object"
        for key, kind in get_type_hints(annotation).items():
            yield f"{where}.{key} is {'required' if key in annotation.__required_keys__ else 'optional'}"
            yield from of_type(kind, f"{where}.{key}")
    elif get_origin(annotation) is dict:
        keys, kind = get_args(annotation)
        yield f"{where}: object" if get_origin(keys) is Literal else f"{where}: mapping"
        for key in get_args(keys) if get_origin(keys) is Literal else [None]:
            yield from of_type(kind, f"{where}{{}}" if key is None else f"{where}.{key}")
    elif get_origin(annotation) is list:
        yield f"{where}: list"
        yield from of_type(get_args(annotation)[0], f"{where}[]")
    elif get_origin(annotation) is Literal:
        yield from (f"{where}: {value!r}" for value in get_args(annotation))
    else:
        yield f"{where}: {KINDS[annotation]}"


def of_schema(node: Node, where: str = "") -> Iterator[str]:
    """The facts of a schema without references."""
    if "oneOf" in node:
        yield from of_several(node["oneOf"], of_schema, where, lambda one: "properties" in one, properties_of)
    elif "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        yield from (f"{where}: {'null' if value is None else repr(value)}" for value in values)
    elif "type" not in node:
        yield f"{where}: anything"
    else:
        for kind in [node["type"]] if isinstance(node["type"], str) else node["type"]:
            yield from {"object": of_object, "array": of_array}.get(kind, of_simple)({**node, "type": kind}, where)


def of_several(several: Iterable[Any], facts: Any, where: str, is_object: Any, keys: Any) -> Iterator[str]:
    """The facts of alternatives; of several objects, each goes by its keys."""
    objects = sum(map(is_object, several))
    for one in several:
        named = f"{where}({', '.join(sorted(keys(one)))})" if objects > 1 and is_object(one) else where
        yield from facts(one, named)


def of_object(node: Node, where: str) -> Iterator[str]:
    if "properties" not in node:
        yield f"{where}: mapping"
        yield from of_schema(node.get("additionalProperties", {}), f"{where}{{}}")
        return
    yield f"{where}: object"
    for key, value in node["properties"].items():
        yield f"{where}.{key} is {'required' if key in node.get('required', ()) else 'optional'}"
        yield from of_schema(value, f"{where}.{key}")


def of_array(node: Node, where: str) -> Iterator[str]:
    yield f"{where}: list"
    for items in node.get("prefixItems") or [node.get("items", {})]:
        yield from of_schema(items, f"{where}[]")


def of_simple(node: Node, where: str) -> Iterator[str]:
    yield f"{where}: {node['type']}"


def properties_of(node: Node) -> Node:
    return dict(node["properties"])


def without_references(node: Any, root: Node) -> Any:
    """A schema with what it refers to in its place."""
    if isinstance(node, list):
        return [without_references(each, root) for each in node]
    if not isinstance(node, dict):
        return node
    whole = {key: without_references(value, root) for key, value in node.items() if key not in ("$defs", "$ref")}
    parts = [root["$defs"][node["$ref"].rpartition("/")[2]]] if "$ref" in node else []
    for part in [*(without_references(part, root) for part in parts), *whole.pop("allOf", [])]:
        merged = {"properties": {**part.get("properties", {}), **whole.get("properties", {})}}
        merged["required"] = [*part.get("required", []), *whole.get("required", [])]
        whole = {**whole, **part, **{key: value for key, value in merged.items() if value}}
    return whole


def described(word: str) -> Node:
    """The schema of an artifact, those that it speaks of included."""
    whole: Node = without_references(load_schema(word), load_schema(word))
    for key, (other, *keys) in ELSEWHERE.get(word, {}).items():
        whole["properties"][key] = described(other)
        for step in keys:
            whole["properties"][key] = whole["properties"][key][step]
    return whole


def differences(annotation: Any, schema: Node) -> list[str]:
    """What a type or a schema says and the other does not.

    A dict whose keys are known cannot say which of them may be absent; of such a one that is not compared.
    """
    from_type, from_schema = set(of_type(annotation)), set(of_schema(schema))
    by_name = {fact.partition(" is ")[0] for fact in from_type if " is " in fact}
    known = {fact for fact in from_schema if " is " not in fact or fact.partition(" is ")[0] in by_name}
    missing = {fact.rpartition(".")[0] for fact in from_schema - known}
    typed = {fact.rpartition(".")[0] for fact in by_name}
    return sorted(from_type ^ known) + sorted(f"{where} lacks a key" for where in missing & typed)


def test_every_schema_has_a_type() -> None:
    files = [path.relative_to(SCHEMAS) for path in SCHEMAS.rglob("*.schema.yaml")]
    words = [path.name.removesuffix(".schema.yaml") for path in files]
    assert sorted(word.rpartition("/")[2] for word in ALL) == sorted(words)


@pytest.mark.parametrize("schema", [schema for schema in ALL if schema not in FOREIGN])
def test_a_type_says_what_its_schema_says(schema: Schema[Any]) -> None:
    assert differences(schema.content, described(schema)) == []


class _Lacking(TypedDict):
    test: Literal["ratio", "test_csv"]


class _Splits(Assignment):
    test: Literal["ratio", "test_csv"]
    rows: dict[str, int]


class _Optional(Assignment):
    test: NotRequired[Literal["ratio", "test_csv"]]
    rows: dict[str, int]


class _Text(Assignment):
    test: Literal["ratio", "test_csv"]
    rows: dict[str, str]


class _FewerWords(Assignment):
    test: Literal["ratio"]
    rows: dict[str, int]


class _Nullable(Assignment):
    test: Literal["ratio", "test_csv"]
    rows: dict[str, int] | None


class _More(_Splits):
    note: str


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        (_Lacking, " lacks a key"),
        (_Optional, ".test is optional"),
        (_Text, ".rows{}: integer"),
        (_FewerWords, ".test: 'test_csv'"),
        (_Nullable, ".rows: null"),
        (_More, ".note is required"),
    ],
)
def test_a_type_that_says_something_else_is_found(changed: Any, first: str) -> None:
    assert differences(_Splits, described("splits")) == []
    assert first in differences(changed, described("splits"))


def test_a_nested_type_that_says_something_else_is_found() -> None:
    schema = {"type": "array", "items": described("task")["properties"]["by"]}
    assert differences(list[MadeBy], schema) == []
    assert differences(list[ValueCount], schema) != []
