"""Bytes only: the EDF envelope, the streams and the ``.eegz`` container.

The lowest floor of eegzip. Nothing here imports torch or any floor above, so files can be inspected,
verified and their tokens read on a machine that has neither a network nor a GPU.

``edf``, ``tokens``, ``predictive`` and ``transform`` know nothing of each other; ``eegz`` puts their streams into a
file. They stand on ``entropy`` and on the modules beside this text. What an encoder is free to decide lies in their
``search`` folders, which nothing but a writer imports: whoever writes a decoder from SPEC.md may skip those.
"""
