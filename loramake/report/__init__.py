"""What people read at the end of a run: the page, the model card, results.json."""
