"""The ``.eegz`` container, as SPEC.md describes it."""
