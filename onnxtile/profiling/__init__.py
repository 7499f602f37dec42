"""What a model costs, node by node: parameters, operations, memory and bandwidth."""
