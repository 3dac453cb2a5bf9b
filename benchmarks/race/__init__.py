"""Parts of ``rate_distortion.py``."""
