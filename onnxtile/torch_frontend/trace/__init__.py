"""Record the operators that one run of a network calls."""
