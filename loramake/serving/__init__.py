"""Predicts new rows with a finished experiment."""
