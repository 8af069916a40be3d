"""Around a run: settings to begin with, checks before it, the run itself, where it stands."""
