"""Networks, checkpoints and everything around them that turns samples into tokens and back."""
