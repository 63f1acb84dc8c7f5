"""Image sets: a name becomes images and labels in memory, with a fingerprint."""

from archbench.data.dataset import Dataset, Shape, Split
from archbench.data.request import DataRequest, Origin
from archbench.data.sources import load, load_again, request, shape_of, suggested

__all__ = ["DataRequest", "Dataset", "Origin", "Shape", "Split", "load", "load_again", "request", "shape_of", "suggested"]
