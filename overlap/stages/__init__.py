"""The stages of a study, the plan of a dry run, and `verify`."""
