"""The exact envelope around an EDF or BDF recording."""
