"""Batches: how photos come into the repository, change their role, and go."""
