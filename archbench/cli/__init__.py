"""The command line. The only place that prints or exits; heavy imports wait until a command runs, so that `--help` is quick."""

from archbench.cli.app import main

__all__ = ["main"]
