"""What is known of each operator, one file a family: its matrix products, its other work, the roles of its inputs."""
