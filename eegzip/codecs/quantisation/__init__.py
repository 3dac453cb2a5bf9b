"""The search for codewords."""
