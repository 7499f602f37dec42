"""The forms of a tiled product, one a file: unrolled, batched, loop, function."""
