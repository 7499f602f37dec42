"""Read, describe and walk models: what all other layers stand on."""
