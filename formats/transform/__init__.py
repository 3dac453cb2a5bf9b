"""A transform coder of the signals of a chunk: lapped cosine transform, channels decorrelated, integers entropy-coded.

SPEC.md, section 6.5. numpy and :mod:`eegzip.formats.entropy` only.
"""
