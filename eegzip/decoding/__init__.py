"""From streams to a recording.

The stages ``tokens`` (with ``stored_tokens``), ``lossless`` and ``bounded`` restore and verify chunk after chunk;
``recording_decoder`` puts together what they give. ``timeline`` has annotations and onsets, ``selection`` what a user
means by channels and times.
"""
