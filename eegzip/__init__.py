"""eegzip: EEG compression with neural codecs."""
