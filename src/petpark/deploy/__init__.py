"""Deploy: bring a model to where it serves, and serve it."""
