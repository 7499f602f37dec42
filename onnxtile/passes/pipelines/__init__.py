"""Pipelines of passes as text and as TOML: read with the place of each word, and printed back."""
