"""Figures from Records, with matplotlib alone: one figure a file, none of which mixes conditions."""
