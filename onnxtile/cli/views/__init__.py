"""The views of `profile`: each on the screen, as one JSON object and as rows of a sheet."""
