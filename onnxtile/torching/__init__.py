"""Models of torch: what their files are, what they compute, and what modules inside them give. Imports torch."""
