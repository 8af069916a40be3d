"""The log loss of each row."""

import numpy as np

from loramake.arrays import Codes, Floats


def row_losses(truth: Codes, probabilities: Floats) -> Floats:
    """-log P(true label) of each row, shape (rows,), with probabilities clipped as in scikit-learn's log_loss."""
    epsilon = np.finfo(np.float64).eps
    probability: Floats = probabilities[np.arange(len(truth)), truth]
    return -np.log(np.clip(probability, epsilon, 1 - epsilon))
