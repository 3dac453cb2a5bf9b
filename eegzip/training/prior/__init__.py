"""The stage ``prior`` of ``eegzip train``: integer tables that code a model's tokens in context."""
