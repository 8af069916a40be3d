"""The only package that knows LlamaFactory and transformers: base models, tokens, log-probabilities, arguments."""
