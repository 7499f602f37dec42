"""Count the cost of each node: parameters, operations, memory and bandwidth."""
