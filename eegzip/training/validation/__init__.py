"""Validation of a network on subjects it has not seen."""
