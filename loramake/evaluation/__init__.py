"""How good the predictions are, compared with simple baselines."""
