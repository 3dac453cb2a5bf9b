"""Decisions that only an encoder of tokens makes: whoever writes a decoder may skip it."""
