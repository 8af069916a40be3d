"""Every error a user can meet, as one sentence that names the file, what is wrong and the next command.

LoramakeError
├── ConfigError       a setting that cannot be used
│   └── OptionError   one that was given as an option of a command
├── DataError         a CSV, or a table in it, that cannot be used
├── ArtifactError     a result file that is absent, unreadable or not what its schema says
├── AgentError        an agent that cannot do its task
├── CodeError         generated code that failed or broke its contract
├── ReviewError       a review that was stopped, or that has no terminal to ask in
│   ├── FeedbackSavedError   one that ends with changes, which the next run makes
│   └── StoppedError   one that a person stopped
├── TrainingError     a training that did not finish
└── PredictionError   a row or a label that cannot be scored
"""

import difflib
from collections.abc import Iterable


class LoramakeError(Exception):
    """Base of all errors that are meant for the user's eyes."""


class ConfigError(LoramakeError):
    """A setting that cannot be used."""


class OptionError(ConfigError):
    """A setting that was given as an option of a command."""


class DataError(LoramakeError):
    """A CSV, or a table in it, that cannot be used."""


class ArtifactError(LoramakeError):
    """A result file that is absent, unreadable or not what its schema says."""


class AgentError(LoramakeError):
    """An agent that cannot do its task."""


class CodeError(LoramakeError):
    """Generated code that failed or broke its contract; `output` is what it printed, for whoever is to fix it."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class ReviewError(LoramakeError):
    """A review that was stopped, or that has no terminal to ask in."""


class FeedbackSavedError(ReviewError):
    """A review that ends with changes, which the next run makes."""


class StoppedError(ReviewError):
    """A review that a person stopped."""


class TrainingError(LoramakeError):
    """A training that did not finish."""


class PredictionError(LoramakeError):
    """A row or a label that cannot be scored."""


_LONG_ENOUGH = 4
"""Letters a word needs to be searched for inside others."""
_LONGEST_WORD, _MOST_COMPARED = 200, 1000
"""A comparison takes quadratic time in a word's length: longer candidates, and those beyond so many, are left out."""


def nearest(word: str, candidates: Iterable[object]) -> str:
    """` (did you mean X?)`, or nothing if no candidate is close; one that contains the word is the closest."""
    names = [name for name in map(str, candidates) if len(name) <= _LONGEST_WORD]
    close = [name for name in names if len(word) >= _LONG_ENOUGH and word in name]
    if not close:
        like = sorted(names, key=lambda name: abs(len(name) - len(word)))[:_MOST_COMPARED]
        close = difflib.get_close_matches(word, like if len(names) > _MOST_COMPARED else names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
