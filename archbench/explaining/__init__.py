"""Where a network's evidence for a class lies: class activation maps and their kin, of trained weights on some images."""

from archbench.explaining.asked import Asked
from archbench.explaining.methods import METHODS

__all__ = ["METHODS", "Asked"]
