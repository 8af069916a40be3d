"""What SLURM says of a run's jobs, and what that means for a user. Reads squeue, scontrol and sinfo; changes nothing."""
