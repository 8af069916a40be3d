"""What SLURM says of a run's jobs, and what that means for a user; squeue, scontrol and sinfo are read."""
