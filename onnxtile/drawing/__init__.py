"""Draws models: products with the tiles that they were cut into, the rest layer by layer, and reports."""
