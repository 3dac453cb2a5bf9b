"""Tokens of many recordings as data for machine learning: exported, or as a data set of PyTorch."""
