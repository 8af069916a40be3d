"""How a CSV is read: its dialect, its cells as text, and the numbers and dates in them."""
