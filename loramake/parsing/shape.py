"""What is wrong with a value by its schema, in moments, however much is wrong: the first error only."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from loramake.text import quoted, shorten


def find_error(validator: jsonschema_rs.Validator, value: Any, quotes: bool = True) -> tuple[str, str] | None:
    """Where a value breaks its schema first, and how: (`[3].input`, `5 is not of type "string"`); None if nowhere.

    Without `quotes` nothing of the value is in it: neither keys that the schema does not name nor values, as far as
    the validator was made with a mask.
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
    except ValueError as error:  # of something that JSON does not have, or does not have so deep
        return shown_path(()), quoted(str(error))
    return None


def shown_path(path: Iterable[str | int]) -> str:
    """Where in a value something is: `features[2].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shorten(part, 60)}" for part in path)
    return "".join(parts).removeprefix(".") or "the top level"
