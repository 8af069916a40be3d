"""What makes probabilities usable for decisions: calibration, prediction sets, abstention, costs, audit.

The functions and classes named here work on arrays; docs/api.md shows them. The rules and `Predictor` use the same.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loramake.trust.audit import audit_by_group
    from loramake.trust.calibration_errors import (
        adaptive_calibration_error,
        brier_score,
        classwise_calibration_error,
        expected_calibration_error,
        maximum_calibration_error,
    )
    from loramake.trust.prediction_sets import ConformalPredictor
    from loramake.trust.selective import ABSTAIN, RiskController

__all__ = [
    "ABSTAIN",
    "ConformalPredictor",
    "RiskController",
    "adaptive_calibration_error",
    "audit_by_group",
    "brier_score",
    "classwise_calibration_error",
    "expected_calibration_error",
    "maximum_calibration_error",
]

_MODULES = {
    "ABSTAIN": "selective",
    "ConformalPredictor": "prediction_sets",
    "RiskController": "selective",
    "audit_by_group": "audit",
}
"""Where each name is defined, unless it is a calibration error."""


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that importing the package is fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'calibration_errors')}")
    return getattr(module, name)
