"""Probes of tokens: classification heads and linear probes on the tokens of a frozen codec."""
