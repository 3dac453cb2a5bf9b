"""The networks, in torch, and how they are made of configs and weights; what of them is linear, without torch."""
