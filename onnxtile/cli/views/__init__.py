"""What `profile` shows: each view on the screen, as one JSON object and as rows of a sheet."""
