"""The pictures: figure.py sets the style of all, and each rule that draws has a module of the same name."""
