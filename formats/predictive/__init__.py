"""Exact and near-exact coding of signals by prediction from their past and from other signals (SPEC.md, section 6.3).

The modules that are compiled by numba are imported only where a stream needs them.
"""
