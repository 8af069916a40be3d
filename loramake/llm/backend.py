"""The protocol of a scoring backend: a causal language model that scores tokens after prompts.

Knows token ids; knows nothing of records, templates or labels as text. A backend must pass
tests/unit/llm/test_backends.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from loramake.console import Advance
from loramake.llm.log_probs import Scores, Tokens


class ScoringBackend(Protocol):
    """A base model, with at most one adapter at a time."""

    @property
    def vocabulary(self) -> int:
        """The number of token ids, from 0 on, that the model has an embedding for."""

    def log_probs(self, prompts: Sequence[Tokens], labels: Sequence[Tokens], advance: Advance | None = None) -> Scores:
        """Summed natural log-probability of each label's tokens after each prompt, shape (rows, labels), float64.

        Up to rounding, a row's values do not depend on the other rows. PredictionError for an empty prompt or label,
        and for a row that does not fit into memory.
        """

    def load_adapter(self, folder: str | Path) -> None:
        """Score with this adapter from now on, in place of any other: the same as a backend that started with it.

        ArtifactError for an adapter that is more than a LoRA, PredictionError for one that cannot be loaded; the
        previous one then stays in use.
        """

    def unload_adapter(self) -> None:
        """Score with the base model alone from now on."""

    def close(self) -> None:
        """Free the memory; nothing is scored afterwards."""
