"""The pictures: figure.py is how all look, and each rule that draws has a module of its word."""
