"""Tools of neighbours, both ways: they take what `lower` writes, and it takes what they write (`make test-interop`)."""
