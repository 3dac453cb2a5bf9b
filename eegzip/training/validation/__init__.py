"""How good a network is on subjects it has not seen."""
