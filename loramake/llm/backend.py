"""What a scoring backend is: a causal language model that gives the log-probabilities of tokens behind prompts.

Speaks of token ids; knows nothing of records, templates or labels as text. tests/unit/llm/test_backends.py is what a
backend has to pass.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from loramake.console import Advance
from loramake.llm.log_probs import Scores, Tokens


class ScoringBackend(Protocol):
    """A base, and at most one adapter on it at a time."""

    @property
    def vocabulary(self) -> int:
        """How many token ids, from 0 on, the model has an embedding for."""

    def log_probs(self, prompts: Sequence[Tokens], labels: Sequence[Tokens], advance: Advance | None = None) -> Scores:
        """Summed natural log-probability of each label's tokens behind each prompt, shape (rows, labels), float64.

        A row's do not depend on the other rows but for rounding. PredictionError for an empty prompt or label, and
        for a row that does not fit into the memory.
        """

    def load_adapter(self, folder: str | Path) -> None:
        """Score with this adapter from now on, in place of any other: the same as a backend that began with it.

        ArtifactError for an adapter that is more than a LoRA, PredictionError for one that cannot be loaded; what was
        loaded before is then still scored with.
        """

    def unload_adapter(self) -> None:
        """Score with the base alone from now on."""

    def close(self) -> None:
        """Give the memory back; nothing is scored afterwards."""
