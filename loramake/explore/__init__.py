"""What a table contains and what is to be predicted from it: profile, target and labels, leaks, splits."""
