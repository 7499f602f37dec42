"""Lower a model to the limits of an engine, check what was written, and write the file."""
