"""Prove that a lowered model is equivalent to the original."""
