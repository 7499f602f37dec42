"""What passes rewrite with: the nodes that take an operator's place, and what they compute."""
