"""What people read at the end: the page, the model card, results.json."""
