"""Where a form writes its nodes to: the IR in memory, or the bytes of a file."""
