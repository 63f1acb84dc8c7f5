"""Experiments: grids of runs, and the questions that they answer. The shipped ones lie beside this file as TOML."""
