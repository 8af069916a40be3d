"""How a value breaks its schema: the first error only, so that it is fast however much is wrong."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from loramake.text import quoted, shorten


def find_error(validator: jsonschema_rs.Validator, value: Any, quotes: bool = True) -> tuple[str, str] | None:
    """Where a value breaks its schema first, and how: (`[3].input`, `5 is not of type "string"`); None if it doesn't.

    Without `quotes` the result contains nothing of the value: no keys that the schema does not name and, if the
    validator has a mask, no values.
    """
    try:
        if not validator.is_valid(value):
            validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        if quotes:
            return shown_path(error.instance_path), quoted(error.message)
        path = [part for part in error.instance_path if isinstance(part, int) or part in error.schema_path]
        is_key = isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties)
        return shown_path(path), "it has a key that is not one of its keys" if is_key else quoted(error.message)
    except ValueError as error:  # for what JSON does not have, or not so deep
        return shown_path(()), quoted(str(error))
    return None


def shown_path(path: Iterable[str | int]) -> str:
    """A path inside a value: `features[2].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shorten(part, 60)}" for part in path)
    return "".join(parts).removeprefix(".") or "the top level"
