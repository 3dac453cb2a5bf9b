"""How good a network is on people it has not seen."""
