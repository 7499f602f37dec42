"""Say what operators do to the numbers of a proof: a declared list, one idea a file."""
