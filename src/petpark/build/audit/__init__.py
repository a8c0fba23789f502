"""Audit: what is in the lake that should not be there, for a person to look at."""
