"""What a model's name leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

import zoo


@dataclass(frozen=True)
class Entry:
    """What is known of a model and how it is built: `build(num_classes, in_channels, image_size, **knobs)`.

    `takes` are those of the three arguments to which the builder heeds.
    """

    spec: zoo.ModelSpec
    build: Callable[..., nn.Module]
    source_sha256: str
    takes: frozenset[str] = frozenset({"num_classes", "in_channels", "image_size"})


def external_spec(name: str, title: str, family: str, size: int, num_classes: int, deviations: tuple[str, ...] = ()) -> zoo.ModelSpec:
    """The spec of a model from outside the zoo: nothing is known of its paper, nor which modules are its head."""
    return zoo.ModelSpec(
        name=name,
        title=title,
        family=family,
        year=None,
        paper=None,
        takes="",
        input_shape=(3, size, size),
        num_classes=num_classes,
        min_size=1,
        head_kind="",
        published=(),
        head=(),
        deviations=deviations,
    )
