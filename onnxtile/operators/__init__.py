"""Knowledge of operators, one file a family: their matrix products, their other work, the roles of their inputs."""
