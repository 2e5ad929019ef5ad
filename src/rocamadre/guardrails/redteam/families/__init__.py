"""Probes, one file per family: texts in three languages, and what makes them into requests."""
