"""What operators compute beside their products, as formulas in the sizes of their values."""
