"""From any CSV to a fine-tuned LLM predictor whose probabilities can be trusted."""
