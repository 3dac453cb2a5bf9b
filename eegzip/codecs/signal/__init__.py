"""Samples to what a network sees, and back: resampling, scaling, windows, components."""
