"""Whether eegzip gives the same bytes: on another processor, or after its code has been moved about."""
