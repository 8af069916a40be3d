"""What a coder is told when its code fails.

Whatever code prints, names or raises can contain cells: a class, a function or a file may be named after one. Where no
row may be shown, the coder gets one of a few fixed sentences and a line number of its own code, and nothing else.
"""

import re

from loramake.agents import Failure
from loramake.agents.disclosure import Disclosure
from loramake.text import shorten

KINDS = frozenset(
    {
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "ConnectionRefusedError",
        "EOFError",
        "FileNotFoundError",
        "ImportError",
        "IndexError",
        "KeyError",
        "MemoryError",
        "ModuleNotFoundError",
        "NameError",
        "NotImplementedError",
        "OSError",
        "OverflowError",
        "PermissionError",
        "RecursionError",
        "RuntimeError",
        "StopIteration",
        "SyntaxError",
        "TypeError",
        "UnboundLocalError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "ValueError",
        "ZeroDivisionError",
    }
)
"""Exceptions that are named; any other is called an error."""

BALANCED = {
    "none": "the records as they are, in their order",
    "oversample": "whole records: each at least once, as many of every label as of the most frequent one, and further "
    "ones drawn with the same chance for every record of the label",
    "undersample": "whole records: none more than once, as many of every label as of the rarest one",
}
"""What each strategy makes of the training split, as a coder is told whose code does something else."""

CHECKS = frozenset(
    {
        "each row once",
        "nothing empty",
        "outputs are the labels",
        "the plan's instruction everywhere",
        "a row's prompt is the same whichever rows are beside it",
        "target and dropped columns absent",
        "every feature is in the prompt",
        "prompts fit into cutoff_len",
        *BALANCED.values(),
    }
)
"""Checks that are named; any other is called a check."""

_LIMITS = {
    "did not end within": "It did not finish in time: check its loops.",
    "printed more than": "It printed too much.",
    "gave more than": "It wrote too much.",
    "of shared memory": "It took too much memory.",
    "of memory": "It took too much memory.",
    "wrote no plain file": "It did not write its output file.",
    "did not write records": "Its output is not a list of records in the requested form.",
    "did not write a state": "The return value of fit is not a dict that json.dump can write.",
    "the state of fit": "The state that fit returns is too large: keep summaries of the columns, not their rows.",
    "did not return one record for each": "It did not return one record for each row.",
}
"""Words of loramake's own complaints, and the sentence that replaces each."""
_OUTPUT_FOLLOWS = " failed: "
"""What follows is the code's own last line of output."""

_MOST_LINES = 1_000
"""A line beyond is not named: code of a million lines could leak cells by the line in which it fails."""
_OUTPUT_READ = 20_000
_COMPLAINT_SHOWN = 2_000
_OUTPUT_SHOWN = 3_000
_ROW_SHOWN = 1_500


def may_show_rows(disclosure: Disclosure | None) -> bool:
    """Whether output of generated code about rows may be shown: it quotes cells without naming their columns."""
    return disclosure is not None and disclosure.sees_rows and not disclosure.personal


def complaint(failure: Failure, disclosure: Disclosure | None) -> str:
    """What went wrong; in fixed words where no row may be shown."""
    if disclosure is not None and may_show_rows(disclosure):
        return disclosure.clean(shorten(failure["complaint"], _COMPLAINT_SHOWN))
    if failure["check"] is not None:
        return named_check(failure["check"])
    ours = [sentence for words, sentence in _LIMITS.items() if words in failure["complaint"]]
    if ours and _OUTPUT_FOLLOWS not in failure["complaint"]:
        return ours[0]
    line = _line(failure)
    return f"It failed with {_kind(failure['output'])}" + (f" in line {line} of your code." if line else ".")


def named_check(name: str) -> str:
    """The sentence of a check that failed."""
    return f"The check “{name}” failed." if name in CHECKS else "A check failed."


def printed(failure: Failure, disclosure: Disclosure | None) -> str:
    """The end of what the code printed, and the rows that show the failure; empty where no row may be shown."""
    if disclosure is None or not may_show_rows(disclosure):
        return ""
    rows = [shorten(row, _ROW_SHOWN) for row in failure["rows"]]
    return disclosure.clean("\n".join([failure["output"][-_OUTPUT_SHOWN:], *rows]).strip())


def _kind(output: str) -> str:
    """The kind of the last exception that an output shows."""
    kinds = re.findall(r"^([A-Z]\w{2,40})(?=:|$)", output[-_OUTPUT_READ:], re.M)
    return kinds[-1] if kinds and kinds[-1] in KINDS else "an error"


def _line(failure: Failure) -> int | None:
    """The line of the coder's own code that failed, if the output names one that exists."""
    frames = re.findall(r'^ {2}File "[^"\n]{1,300}/script", line (\d{1,7})\b', failure["output"][-_OUTPUT_READ:], re.M)
    most, above = min(failure["code"].count("\n") + 1, _MOST_LINES), failure.get("above", 0)
    lines = [line for frame in frames if 1 <= (line := int(frame) - above) <= most]
    return lines[-1] if lines else None
