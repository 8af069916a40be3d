"""Risk control: what a threshold means, or why there is none."""

from loramake.artifact_types.shared import Estimate
from loramake.artifact_types.trust import MeasuredLevel, RiskLevel
from loramake.evaluation.intervals import CONFIDENCE, defined
from loramake.text import as_percent, format_threshold


def summarize_level(level: MeasuredLevel, rows: int, decided: int, rows_test: int) -> str:
    """What a level means, for a manager; a label is decided for `decided` of the `rows` calibration rows."""
    sure, most = as_percent(level["selective_error_confidence"]), as_percent(level["max_selective_error"])
    guarantee = f"{sure} confidence that at most {most} of answers are incorrect"
    answered, wrong = level["calibration"]["answered"], level["calibration"]["wrong"]
    if not level["achievable"] and decided < level["rows_needed"]:
        available = f"there are {decided:,}" if decided == rows else f"costs decide only {decided:,} of {rows:,} rows"
        return (
            f"Not achievable with this data: {guarantee} takes {level['rows_needed']:,} calibration rows without an "
            f"error, and {available}."
        )
    if not level["achievable"]:
        bound = defined(level["calibration"]["wrong_at_most"])
        return (
            f"Not achievable with this data: {wrong:,} of the {answered:,} most confident calibration rows "
            f"{'is' if wrong == 1 else 'are'} predicted incorrectly, so with {sure} confidence up to "
            f"{_above(bound, level['max_selective_error'])} of such answers may be incorrect, and at most {most} was "
            f"requested."
        )
    outcome = _on_test(level, rows_test)
    if level["threshold"] == 0:
        return f"Every row with a decision is answered, with {guarantee}. {outcome}."
    least = format_threshold(defined(level["threshold"]))
    return f"Rows whose label has a probability of at least {least} are answered, with {guarantee}. {outcome}."


def _above(bound: float, limit: float) -> str:
    """A bound in percent, with enough decimals to tell it from a lower limit."""
    texts = [f"{bound:.{digits}%}" for digits in range(1, 10)]
    return next((text for text in texts if float(text[:-1]) > 100 * limit), texts[0])


def _on_test(level: MeasuredLevel, rows: int) -> str:
    test = level["test"]
    if not test["answered"]:
        return "No test row is answered" if rows else "There are no test rows to check this on"
    answered = f"{_percent(test['coverage'])} of test rows are answered"
    text = f"{answered}, {_with_interval(test['selective_error'])} of them incorrectly"
    if defined(test["selective_error"]["low"]) <= level["max_selective_error"]:
        return text
    chance = as_percent(1 - level["selective_error_confidence"])
    return (
        f"{text}. That is more than requested, which happens by chance in {chance} of cases, or when test rows differ "
        f"from calibration rows"
    )


def summarize_chosen(chosen: RiskLevel) -> str:
    """What the setting means for new rows."""
    sentence = chosen["sentence"]
    return sentence if chosen["achievable"] else f"{sentence} Every new row is therefore left to a person."


def summarize_without_level(rows: int, answered: int, wrong: Estimate) -> str:
    """What happens without max_selective_error: `answered` of the test `rows`, and the share of these `wrong`."""
    opening = "max_selective_error is not set, so every row is answered"
    if not rows:
        return f"{opening}; there are no test rows."
    if answered < rows:
        referred = _percent(1 - answered / rows)
        opening = f"max_selective_error is not set, so only costs leave rows to a person: {referred} of the test rows"
    if not answered:
        return f"{opening}."
    return f"{opening}; {_with_interval(wrong)} of the answers on test are incorrect."


def _with_interval(share: Estimate) -> str:
    interval = f"{as_percent(CONFIDENCE)} interval {_percent(share['low'])} to {_percent(share['high'])}"
    return f"{_percent(share['value'])} ({interval})"


def _percent(share: float | None) -> str:
    """A measured share, to one decimal."""
    return f"{defined(share):.1%}"
