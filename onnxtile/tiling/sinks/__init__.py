"""Take the nodes that a form writes: into the IR in memory, or into the bytes of a file."""
