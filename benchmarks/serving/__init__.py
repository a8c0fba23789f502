"""What the serving rows share: a client that measures, servers to measure, and the limit that none can beat."""
