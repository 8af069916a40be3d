"""Cells as comparable words: without case, accents and punctuation, and one word for yes, true and 1."""

import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

_SYNONYMS = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y", "ja", "j", "oui", "si"), "1"),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n", "nein", "non"), "0"),
}


def without_accents(text: str) -> str:
    """Text without accents."""
    return "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )


def normalise(word: str) -> str:
    """A word without case, accents, punctuation and extra spaces; yes, true and 1 are one word."""
    plain = without_accents(word.casefold())
    bare = " ".join(re.sub(r"[\s_\-.,;:!'\"()\[\]]+", " ", plain).split())
    return _SYNONYMS.get(plain) or _SYNONYMS.get(bare) or bare or word


def normal_codes(words: Any) -> np.ndarray:
    """A code for each word, the same for words that are equal once normalised."""
    return pd.factorize(np.array([normalise(word) for word in words], dtype=object))[0]
