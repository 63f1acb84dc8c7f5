"""What is measured of a network: one statistic a file."""
