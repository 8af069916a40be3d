"""From any CSV to a fine-tuned LLM predictor whose probabilities can be trusted.

from loramake import Predictor
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loramake.serving.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Import `Predictor` on first use, so that importing the package is fast."""
    if name == "Predictor":
        from loramake.serving.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
