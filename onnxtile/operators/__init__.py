"""The table of operators: the matrix products in each, its work beside them, and the roles of its inputs."""
