"""The prediction log: what was predicted, and what people said of it, in SQLite or PostgreSQL."""
