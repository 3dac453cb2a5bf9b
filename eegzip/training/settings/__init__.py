"""What can be set, and what makes sense together."""
