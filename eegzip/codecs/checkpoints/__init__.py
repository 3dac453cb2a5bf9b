"""A model on disk: its config, its weights, where to find it. No torch."""
