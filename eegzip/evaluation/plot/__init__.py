"""Pictures of traces, as EEG is read: :func:`eegzip.plot`."""
