"""What is wrong with a value by its schema, in moments, however much is wrong: the first error only."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from loramake.parsing import ParsingError, shortened


def check_shape(validator: jsonschema_rs.Validator, value: Any) -> None:
    """Raise ParsingError, `[3].input: 5 is not of type "string"`, where a value breaks its schema."""
    try:
        if validator.is_valid(value):
            return
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        raise ParsingError(f"{shown_path(error.instance_path)}: {shortened(error.message)}") from None
    except ValueError as error:  # of something that JSON does not have, or has not so deep
        raise ParsingError(f"the top level: {shortened(str(error))}") from error


def shown_path(path: Iterable[str | int]) -> str:
    """Where in a value something is: `features[2].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shortened(part, 60)}" for part in path)
    return "".join(parts).removeprefix(".") or "the top level"
