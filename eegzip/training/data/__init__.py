"""Recordings for training: found, read, prepared, cached and sampled."""
