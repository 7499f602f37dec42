"""Count the work of the operators of torch."""
