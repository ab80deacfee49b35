"""The state of a study's folder: layout, fingerprints, clean-up."""
