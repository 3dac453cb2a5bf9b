"""Decisions that only an encoder of layers makes: whoever writes a decoder may skip it."""
