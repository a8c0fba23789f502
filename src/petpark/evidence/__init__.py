"""Evidence: what the stages measured, as data with a schema.

Evidence is written by one version of the code and read by others, so each file names its schema and readers accept
the version before theirs.
"""
