"""Lines: tones such as the mains' that are kept beside a signal instead of in it (SPEC.md, section 6.10).

Integers only, so every machine makes the same samples of them. Compiled by numba.
"""
