"""The ways to serve a model, and what they are made of."""
