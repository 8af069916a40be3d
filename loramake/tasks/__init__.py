"""What a target is: what may be one, and what follows from that."""
