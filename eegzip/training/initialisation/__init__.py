"""Weights before the first step."""
