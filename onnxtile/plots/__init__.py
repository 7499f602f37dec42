"""Draws costs as pictures: rooflines, bytes a layer, and what engines trade."""
