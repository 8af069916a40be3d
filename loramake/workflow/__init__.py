"""Around a run: initial settings, checks before it, the run itself, its status."""
