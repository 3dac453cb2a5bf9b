"""Decisions that only an encoder of exact signals makes: whoever writes a decoder may skip it."""
