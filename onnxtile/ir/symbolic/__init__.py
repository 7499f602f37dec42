"""Amounts that are numbers, formulas in free dimensions, ranges, or unknown with a reason."""
