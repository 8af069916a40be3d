"""Columns whose name says that they are known only after the outcome."""

import itertools
import re

import numpy as np

from loramake.explore.leaks.columns import Column
from loramake.explore.leaks.evidence import ROWS_A_LABEL
from loramake.explore.leaks.words import without_accents
from loramake.text import shorten

_AFTER = re.compile(
    r"(?:date(?:of|de)?|dt|fecha(?:de)?)?(?:"
    r"death|died|deceased?|dod|discharged?|closed?|closing|closure|cancel(?:l?ed|l?ation)?|churn(?:ed)?|"
    r"resol(?:ved|ution)|terminat(?:ed|ion)|(?:paid|pay|charged?|writ(?:e|ten))off|default(?:ed)?|refund(?:ed)?|"
    r"outcome|diagnos(?:is|ed|e)|settle(?:d|ment)|repaid|relapsed?|unsubscribed|deactivated|resign(?:ed|ation)|verdict|"
    r"tod(?:es)?|sterbe|gestorben|verstorben|entlass(?:ung|en)|kue?ndigung|gekue?ndigt|storn(?:o|iert|ierung)|austritt|"
    r"abschluss|(?:rue?ck)?erstattung|deces|sortie|resiliation|annulation|cloture|fermeture|remboursement|diagnostico?|"
    r"muerte|defuncion|fallecimiento|baja|cancelacion|cierre|reembolso|resolucion|egreso"
    r")s?(?:date|datum|day|time|dt|ts|at|on)?"
)
"""A word of a column's name that refers to the outcome, in English, German, French or Spanish."""

_MAYBE_AFTER = re.compile(r"(?:end(?:ed)?|ende|fin|exit(?:ed)?|left|completed|finished|returned)(?:date|datum)?")
"""Words that may also refer to a plan: accepted only if the filled cells correlate with the target."""

_BEFORE = {
    *("previous", "prev", "prior", "planned", "expected", "scheduled", "estimated", "due", "next", "birth"),
    *("vorherige", "geplante", "geplantes", "prevu", "prevue", "previsto", "prevista"),
}


def name_speaks_of_outcome(column: Column, target: str) -> str | None:
    """A date, or a cell filled for some labels rather than others, with a name known only after the outcome."""
    words, target_words, labels = split_name(column.name), split_name(target), column.labels
    joined = [first + second for first, second in itertools.pairwise(words)]
    telling = (target_words and set(target_words) <= set(words)) or any(map(_AFTER.fullmatch, words + joined))
    if _BEFORE & set(words) or not (telling or any(map(_MAYBE_AFTER.fullmatch, words))):
        return None
    filled = column.by_filled[1] / labels.rows
    judged = filled[labels.rows >= ROWS_A_LABEL]
    goes_with_target = len(judged) > 1 and np.ptp(judged) >= 0.5
    if not goes_with_target and not (telling and column.kind == "date"):
        return None
    shares = [f"{share:.0%} of {shorten(labels.names[code], 20)}" for code, share in enumerate(filled)]
    shown = ", ".join(shares if len(shares) <= 4 else [*shares[:4], "…"])
    return f"by its name it is known only after the outcome (filled for {shown})"


def split_name(name: str) -> list[str]:
    """The words of a name, lower case and without accents, whether joined by punctuation, spaces or capitals."""
    return [
        word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", without_accents(name.replace("ß", "ss")))
    ]
