"""Tokens coded in context: integer tables that come with a checkpoint say how likely each token is (SPEC.md, 6.2).

Compiled by numba, and imported only where a stream needs it.
"""
