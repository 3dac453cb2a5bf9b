"""What a run writes down: log, curves, card, checkpoint."""
