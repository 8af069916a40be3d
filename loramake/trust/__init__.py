"""What makes probabilities something to act on: calibration, sets, abstention, cost, audit."""
