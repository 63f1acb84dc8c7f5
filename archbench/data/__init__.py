"""Image sets: a name becomes images and labels in memory, with a fingerprint."""

from archbench.data.dataset import Dataset, Shape, Split
from archbench.data.request import DataRequest
from archbench.data.sources import load, request, shape_of, suggested

__all__ = ["DataRequest", "Dataset", "Shape", "Split", "load", "request", "shape_of", "suggested"]
