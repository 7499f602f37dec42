"""Show profiles and facts of models on the screen, as JSON and as rows of a sheet."""
