"""Bring models in from files and other libraries, and move outputs into place."""
