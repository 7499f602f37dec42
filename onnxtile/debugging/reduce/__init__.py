"""Find the pass that breaks a model, and the smallest model that shows it."""
