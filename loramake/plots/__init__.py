"""The pictures, one module a rule that draws some."""
