"""How pages are written down: a file for each format."""
