"""The stage ``joint`` of ``eegzip train``: a decoder that sees all channels, on the tokens of a codec left as it is."""
