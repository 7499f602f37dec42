"""Describes matrix engines, and chooses the tiles and loop orders that cost least on them."""
