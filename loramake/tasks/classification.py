"""A target of labels: what may be one."""

MAX_LABELS_OF_NUMBERS = 20
"""A column of numbers with more values than this is a quantity and not a column of labels."""
