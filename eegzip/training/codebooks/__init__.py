"""The stage ``codebooks`` of ``eegzip train``: residual codebooks in the space of an MDCT, without a gradient."""
