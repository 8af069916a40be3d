"""P(label | row) of the experiment's own splits."""
