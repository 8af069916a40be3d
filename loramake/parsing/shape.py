"""What is wrong with a value by its schema, in moments, however much is wrong: the first error only."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from loramake.parsing import shortened


def find_error(validator: jsonschema_rs.Validator, value: Any) -> tuple[str, str] | None:
    """Where a value breaks its schema first, and how: (`[3].input`, `5 is not of type "string"`); None if nowhere."""
    try:
        if not validator.is_valid(value):
            validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return shown_path(error.instance_path), shortened(error.message)
    except ValueError as error:  # of something that JSON does not have, or does not have so deep
        return shown_path(()), shortened(str(error))
    return None


def shown_path(path: Iterable[str | int]) -> str:
    """Where in a value something is: `features[2].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shortened(part, 60)}" for part in path)
    return "".join(parts).removeprefix(".") or "the top level"
