"""How good the predictions are, beside plain baselines."""
