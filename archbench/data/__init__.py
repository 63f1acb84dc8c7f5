"""Image sets: a name becomes images and labels, in memory or read when they are needed, with a fingerprint."""

from archbench.data.dataset import Dataset, Shape
from archbench.data.request import DataRequest, Origin
from archbench.data.sources import load, load_again, request, shape_of, suggested
from archbench.data.split import Images, Split

__all__ = ["DataRequest", "Dataset", "Images", "Origin", "Shape", "Split", "load", "load_again", "request", "shape_of", "suggested"]
