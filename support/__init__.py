"""What tests and benchmarks share: synthetic tables, attacks, and the steps of an experiment in one object."""
