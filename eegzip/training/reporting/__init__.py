"""Records of a run: log, curves, card, checkpoint."""
