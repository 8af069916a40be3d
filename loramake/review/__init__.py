"""What a person sees, decides and changes on the way."""
