"""Bytes only: the EDF envelope and the ``.eegz`` container.

The lowest floor of eegzip. Nothing here imports torch or any floor above, so files can be inspected,
verified and their tokens read on a machine that has neither a network nor a GPU.
"""
