"""The service: HTTP in front, inference workers behind."""
