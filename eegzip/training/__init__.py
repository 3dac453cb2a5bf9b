"""Training of the checkpoints."""
