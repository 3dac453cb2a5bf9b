"""Tensors to tokens and back, without files: what :class:`eegzip.Tokenizer` is made of."""
