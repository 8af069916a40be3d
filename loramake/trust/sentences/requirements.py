"""Requirements: which are met, by how much and how certainly."""

from collections.abc import Sequence

from loramake.artifact_types.trust import JudgedRequirement
from loramake.text import shorten

NO_COLUMNS = "audit_columns is not set"
"""Why groups were not compared."""

_LENGTH = 40
"""Names in sentences are cut to this many characters."""
_SAME = 1e-9
"""Numbers that differ by less are the same: a difference of 0.3 comes out as 0.30000000000000004."""


def summarize_requirements(requirements: Sequence[JudgedRequirement]) -> str:
    """One sentence for a manager: how many are met, and which are not."""
    if not requirements:
        return "No requirements are set."
    met = sum(requirement["passed"] for requirement in requirements)
    head = f"{met} of {len(requirements)} requirements {'is' if met == 1 else 'are'} met"
    if met == len(requirements):
        head = "The only requirement is met" if met == 1 else f"All {met} requirements are met"
    failed = [requirement["sentence"] for requirement in requirements if not requirement["passed"]]
    met_narrowly = [entry["sentence"] for entry in requirements if entry["passed"] and entry["certain"] is False]
    return "; ".join([head, *failed, *met_narrowly]) + "."


def describe_requirement(called: str, value: float, limit: float, at_least: bool, passed: bool) -> str:
    """A measured value against its limit, as a clause; `called` names the value."""
    number, bound = _as_text(value, limit)
    return f"{called} {number} {_verb(at_least, passed)} {bound}"


def describe_doubt(end: float, limit: float, passed: bool) -> str:
    """What to add where the interval of a value reaches beyond the limit."""
    return f", {'though' if passed else 'but'} its interval reaches {_as_text(end, limit)[0]}"


def describe_unmeasured(called: str, why: str) -> str:
    """A requirement whose value is undefined."""
    return f"{called} cannot be measured: {why}"


def name_comparison(called: str, label: str | None, column: str) -> str:
    """A measure compared over the groups of a column, of one label where there are several."""
    of = "" if label is None else f" of {shorten(label, _LENGTH)}"
    return f"{called}{of} by {shorten(column, _LENGTH)}"


def explain_no_comparison(how: str) -> str:
    """Why the groups of a column have no difference or no ratio."""
    return "fewer than two groups have enough rows and a value" + ("" if how == "difference" else " above 0")


def _verb(at_least: bool, passed: bool) -> str:
    if passed:
        return "is at least" if at_least else "is at most"
    return "is below" if at_least else "is above"


def _as_text(value: float, limit: float) -> tuple[str, str]:
    """Both as text, with as many digits as tell them apart."""
    bound = f"{limit:g}"
    for digits in range(2, 10):
        text = f"{value:.{digits}f}"
        if abs(value - limit) <= _SAME or float(text) != limit:
            return text, bound
    return repr(value), bound
