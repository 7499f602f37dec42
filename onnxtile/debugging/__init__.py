"""Find what goes wrong: captured values, reduced models, and instruments of a pipeline."""
