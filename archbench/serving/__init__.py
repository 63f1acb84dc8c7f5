"""The report live, on this machine alone, while runs write Records."""
