"""Training under one protocol."""
