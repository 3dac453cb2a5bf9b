"""Electrode names, where electrodes lie, and which channels are a group."""
