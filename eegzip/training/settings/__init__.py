"""Settings of training, and which make sense together."""
