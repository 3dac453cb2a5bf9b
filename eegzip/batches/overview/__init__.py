"""One page on many recordings: :func:`eegzip.overview`."""
