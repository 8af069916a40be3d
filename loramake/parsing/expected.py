"""What a schema accepts, in plain words, for errors in what a person typed."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema

from loramake.text import listed, quoted

_KINDS = {
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "null": "none",
    "number": "a number",
    "integer": "a whole number",
}
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}


def find_mistake(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why a value breaks a schema, after the path in it: `data: 'maybe' is not one of ask, approve and file`."""
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    return error and "".join([*(f"{part}: " for part in error.absolute_path), _explain(error)])


def _explain(error: jsonschema.ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.instance
    if error.validator == "required":
        missing = next(name for name in schema["required"] if name not in value)
        return f"{missing} is missing: give {_joined(schema['required'])}"
    if error.validator == "additionalProperties":
        unknown = next(name for name in value if name not in schema["properties"])
        return f"{quoted(repr(unknown))} is not one of its keys, {_joined(list(schema['properties']))}"
    if error.validator == "minProperties":
        return f"{quoted(repr(value))} has {len(value)} entries, which is less than {schema['minProperties']}"
    if error.validator == "uniqueItems":
        return f"{quoted(repr(value))} contains an entry twice"
    return f"{quoted(repr(value))} is not {_expected(schema)}"


def _expected(schema: Mapping[str, Any]) -> str:
    """What a schema accepts: `a number above 0 and below 1`, `one of ask, approve and file`."""
    if "enum" in schema:
        return f"one of {_joined(['none' if choice is None else str(choice) for choice in schema['enum']])}"
    if "oneOf" in schema:
        return ", or ".join(map(_expected, schema["oneOf"]))
    types = schema.get("type", [])
    return " or ".join(_kind(name, schema) for name in ([types] if isinstance(types, str) else types))


def _kind(name: str, schema: Mapping[str, Any]) -> str:
    if name == "object":
        return "a mapping" + (f" of {listed(list(schema['properties']))}" if "properties" in schema else "")
    bounds = _bounds(schema) if name in ("number", "integer") else ""
    return _KINDS[name] + bounds


def _bounds(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    parts = [f"{words} {schema[bound]}" for bound, words in _BOUNDS.items() if bound in schema]
    return f" {' and '.join(parts)}" if parts else ""


def _joined(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
