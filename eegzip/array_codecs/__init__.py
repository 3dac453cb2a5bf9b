"""The lossless coder of integer arrays as a codec of zarr and numcodecs, which find it by its name, ``eegzip``."""
