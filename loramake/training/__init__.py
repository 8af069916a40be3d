"""LlamaFactory's configuration and the LoRA training."""
