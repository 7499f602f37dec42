"""Judge a product against the limits, plan its tiles, and write them in one of four forms."""
