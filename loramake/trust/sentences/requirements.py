"""Requirements: what is met, by how much and how surely."""

from collections.abc import Sequence

from loramake.artifact_types.trust import JudgedRequirement
from loramake.text import shorten

NO_COLUMNS = "no audit_columns are set"
"""Why groups were not compared."""

_LENGTH = 40
"""Names in sentences are cut to so many characters."""
_SAME = 1e-9
"""What differs by less is the same number: a difference of 0.3 comes out as 0.30000000000000004."""


def summarize_requirements(requirements: Sequence[JudgedRequirement]) -> str:
    """One sentence for a manager: how many are met, and what is not."""
    if not requirements:
        return "No requirements are set."
    met = sum(each["passed"] for each in requirements)
    head = f"{met} of {len(requirements)} requirements {'is' if met == 1 else 'are'} met"
    if met == len(requirements):
        head = "The one requirement is met" if met == 1 else f"All {met} requirements are met"
    told = [each["sentence"] for each in requirements if not each["passed"]]
    told += [each["sentence"] for each in requirements if each["passed"] and each["certain"] is False]
    return "; ".join([head, *told]) + "."


def describe_requirement(called: str, value: float, limit: float, at_least: bool, passed: bool) -> str:
    """A measured value beside its limit, as a clause; `called` names the value."""
    told, bound = _told(value, limit)
    return f"{called} {told} {_verb(at_least, passed)} {bound}"


def describe_doubt(end: float, limit: float, passed: bool) -> str:
    """What follows where the interval of a value reaches beyond the limit."""
    return f", {'though' if passed else 'but'} its interval reaches {_told(end, limit)[0]}"


def describe_unmeasured(called: str, why: str) -> str:
    """A requirement whose value is not there."""
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
    return "is under" if at_least else "is over"


def _told(value: float, limit: float) -> tuple[str, str]:
    """Both as text, with as many digits as tell them apart."""
    bound = f"{limit:g}"
    for digits in range(2, 10):
        told = f"{value:.{digits}f}"
        if abs(value - limit) <= _SAME or float(told) != limit:
            return told, bound
    return repr(value), bound
