"""The architectures: *Network In Network*, its ancestors and its descendants.

Useful alone: `zoo.names()`, `zoo.get(name)`, `zoo.create(name, num_classes=10)`. Importing the package imports no torch; the family
files, which do, are read at the first look-up.
"""

from zoo._claims import Claim
from zoo.registry import (
    WIDTH,
    ModelSpec,
    Paper,
    Published,
    Range,
    TrainingHints,
    Weights,
    ZooError,
    builder,
    create,
    get,
    names,
    register,
    resolve,
)

__all__ = [
    "WIDTH",
    "Claim",
    "ModelSpec",
    "Paper",
    "Published",
    "Range",
    "TrainingHints",
    "Weights",
    "ZooError",
    "builder",
    "create",
    "get",
    "names",
    "register",
    "resolve",
]
