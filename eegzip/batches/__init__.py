"""Many files at once: found, done in parallel, recorded in a manifest, resumed."""
