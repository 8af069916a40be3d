"""What a person sees, decides and changes during a run."""
