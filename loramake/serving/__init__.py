"""A finished experiment at work on new rows."""
