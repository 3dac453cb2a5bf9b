"""Pieces of recordings as the stages on top of a fixed transform see them: latents, loudness, tokens."""
