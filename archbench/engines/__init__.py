"""Where Jobs run."""
