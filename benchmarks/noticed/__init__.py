"""Parts of downstream.py: the labelled sets, what is restored of them, and the tables."""
