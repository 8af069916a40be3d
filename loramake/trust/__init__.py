"""What makes probabilities usable for decisions: calibration, prediction sets, abstention, costs, audit."""
