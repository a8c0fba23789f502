"""Build: from photos to a verdict on a model."""
