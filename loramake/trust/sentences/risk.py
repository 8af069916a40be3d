"""Risk control: what a threshold means, or that there is none."""

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import MeasuredLevel, RiskLevel
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent, format_threshold


def summarize_level(level: MeasuredLevel, rows: int, decided: int, rows_test: int) -> str:
    """What a level means, for a manager: of so many calibration rows, a label is decided for so many."""
    there = f"{decided:,}"
    if decided < rows:
        there += f" of {rows:,} that costs decide"
    sure, most = as_percent(level["selective_error_confidence"]), as_percent(level["max_selective_error"])
    wish = f"{sure} sure that at most {most} of answers are wrong"
    answered, wrong = level["calibration"]["answered"], level["calibration"]["wrong"]
    if not level["achievable"] and decided < level["rows_needed"]:
        return (
            f"Not achievable with this data: to be {wish} takes {level['rows_needed']:,} calibration rows without an "
            f"error, and there are {there}."
        )
    if not level["achievable"]:
        return (
            f"Not achievable with this data: to be {wish} is too much to ask where {wrong:,} of the {answered:,} "
            f"calibration rows that the model is surest of {'is' if wrong == 1 else 'are'} wrong."
        )
    found = _on_test(level, rows_test)
    if level["threshold"] == 0:
        return f"To be {wish}, every row with a decision is answered: {found}."
    least = format_threshold(defined(level["threshold"]))
    return f"To be {wish}, only rows with a label of probability {least} or more are answered: {found}."


def _on_test(level: MeasuredLevel, rows: int) -> str:
    test = level["test"]
    if not test["answered"]:
        return "on test none is" if rows else "there are no test rows to see it on"
    told = f"on test {_percent(test['coverage'])} of rows are, {_told(test['selective_error'])} of them wrong"
    if defined(test["selective_error"]["low"]) <= level["max_selective_error"]:
        return told
    chance = as_percent(1 - level["selective_error_confidence"])
    return (
        f"{told}, more than asked for, as happens by chance in {chance} of cases or where test rows are of another kind"
    )


def summarize_chosen(chosen: RiskLevel) -> str:
    """What the setting means for new rows."""
    found = chosen["sentence"]
    return found if chosen["achievable"] else f"{found} So every new row is left to a person."


def summarize_without_level(rows: int, answered: int, wrong: Estimate) -> str:
    """What goes where no error rate is set: so many of the test rows are answered, and a share of these wrong."""
    opening = "No error rate is asked for (max_selective_error), so every row is answered"
    if not rows:
        return f"{opening}; there are no test rows."
    if answered < rows:
        opening = (
            f"No error rate is asked for (max_selective_error); costs alone leave rows to a person, on test "
            f"{_percent(1 - answered / rows)}"
        )
    if not answered:
        return f"{opening}."
    return f"{opening}: {_told(wrong)} of test answers are wrong."


def _told(share: Estimate) -> str:
    interval = f"{as_percent(CONFIDENCE)} interval {_percent(share['low'])} to {_percent(share['high'])}"
    return f"{_percent(share['value'])} ({interval})"


def _percent(share: float | None) -> str:
    """A measured share, to one decimal."""
    return f"{defined(share):.1%}"
