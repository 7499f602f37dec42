"""What operators compute beside the products in them: a line for each, as formulas in the sizes of its values."""
