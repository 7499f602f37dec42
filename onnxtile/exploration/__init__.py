"""Compares many engines on models, and fits an engine's description to what was measured."""
