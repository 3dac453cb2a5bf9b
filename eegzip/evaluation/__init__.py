"""Comparison of a restored recording with its original."""
