"""Infer shapes, and find those that are assumptions."""
