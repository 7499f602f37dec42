"""Run a model and keep the values of chosen nodes."""
