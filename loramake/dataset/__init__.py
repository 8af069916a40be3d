"""From verified records to the files that training reads."""
