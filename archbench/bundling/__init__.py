"""Bundles: Records with what belongs to them in one archive, as RO-Crate, and how one is taken into another store."""

from archbench.bundling.packing import Packed, pack
from archbench.bundling.taking import take, unpacked_from

__all__ = ["Packed", "pack", "take", "unpacked_from"]
