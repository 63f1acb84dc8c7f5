"""A network as a user names it, and the input it is built for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

import zoo
from archbench.errors import ArchbenchError, brief
from archbench.models import entries
from archbench.models.isolation import preserved_settings
from archbench.records.schema import ModelSnapshot
from zoo import registry

# knobs that archbench adds to those of the builders: a count to keep, and the Record whose trained weights are taken
ADDED_KNOBS = ("equal", "source")
QUANTITIES = ("macs", "params")


@dataclass(frozen=True)
class Input:
    """What a network is built for: images `(N, in_channels, image_size, image_size)` of `num_classes` classes."""

    num_classes: int
    in_channels: int
    image_size: int

    @property
    def size(self) -> str:
        """`3x32x32`."""
        return f"{self.in_channels}x{self.image_size}x{self.image_size}"

    def example(self, batch: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of noise of this shape."""
        return torch.randn(batch, self.in_channels, self.image_size, self.image_size, device=device)


@dataclass(frozen=True)
class Model:
    """An architecture with knobs. `label` is the name a user would type for it; `width` is what an `equal` knob came to."""

    name: str
    knobs: tuple[tuple[str, registry.KnobValue], ...] = ()
    width: float | None = None

    @property
    def label(self) -> str:
        """`nin+head=fc`."""
        return "+".join([self.name, *(f"{key}={_text(value)}" for key, value in self.knobs)])

    @property
    def spec(self) -> zoo.ModelSpec:
        """What is known of it."""
        return entries.entry(self.name).spec

    @property
    def head_kind(self) -> str:
        """The classifier head in a word, as the knobs make it."""
        kind = str(dict(self.knobs).get("head", self.spec.head_kind))
        return "gap+fc" if kind == "gap" and self.spec.head_kind == "fc" else kind  # averages, which a linear layer then reads

    @property
    def hints(self) -> zoo.TrainingHints:
        """What it asks of a recipe; nothing where a knob makes the reason void."""
        hints = self.spec.hints
        return zoo.TrainingHints() if set(hints.unless.items()) & set(self.knobs) else hints

    @property
    def native_input(self) -> Input:
        """The input of its paper, with the classes that go with it."""
        channels, size, _ = self.spec.input_shape
        return Input(self.spec.num_classes, channels, size)

    @property
    def equal(self) -> str | None:
        """The count that is kept as in the network without knobs: `macs`, `params` or none."""
        return next((str(value) for key, value in self.knobs if key == "equal"), None)

    @property
    def source(self) -> str | None:
        """The id of the Record whose trained weights its frozen layers take."""
        return next((str(value) for key, value in self.knobs if key == "source"), None)

    def check_added_knobs(self) -> None:
        """Raise ArchbenchError for an `equal` or a `source` that this network cannot have."""
        if self.source is not None and not self.spec.frozen_from:
            raise ArchbenchError(f"{self.name} takes no trained weights, so it has no knob 'source'")
        if self.equal is None:
            return
        if self.equal not in QUANTITIES:
            raise ArchbenchError(f"{self.name}: equal cannot be {self.equal!r}; valid: {', '.join(QUANTITIES)}")
        if "width" not in self.spec.knobs:
            raise ArchbenchError(f"{self.name} has no width, so it cannot be scaled to equal {self.equal}")
        others = {key for key, _ in self.knobs} - set(ADDED_KNOBS)
        if not others:
            raise ArchbenchError(f"{self.name}: equal={self.equal} stands beside another knob, as in nin+head=fc+equal=macs")

    def check(self, shape: Input) -> None:
        """Raise ArchbenchError unless the network can be built for this input and gives a logit for each class."""
        if not entries.is_external(self.name):
            try:
                registry.check_input(self.spec, shape.num_classes, shape.in_channels, shape.image_size)
            except zoo.ZooError as error:
                raise ArchbenchError(str(error)) from None
        self._check_forward(shape)

    @preserved_settings()
    def _check_forward(self, shape: Input) -> None:
        try:
            network, images = dataclasses.replace(self, width=self.width or (1.0 if self.equal else None)).weightless(shape)
            logits = network(images)
        except ArchbenchError:
            raise
        except (Exception, SystemExit) as error:  # whatever a foreign network raises
            said = f"{type(error).__name__}: {brief(error)}"
            raise ArchbenchError(f"{self.name} cannot take images of {shape.size}: {said}{self._unheeded(shape)}") from error
        if not isinstance(logits, torch.Tensor) or logits.shape != (1, shape.num_classes):
            whole = isinstance(logits, torch.Tensor)
            found, unheeded = (tuple(logits.shape), self._unheeded(shape)) if whole else (type(logits).__name__, "")
            raise ArchbenchError(f"{self.name} gives {found} for one image, not logits of shape (1, {shape.num_classes}){unheeded}")

    def _unheeded(self, shape: Input) -> str:
        """What is asked for, and is not the network's own, that its function has no argument for."""
        own, asked = dataclasses.asdict(self.native_input), dataclasses.asdict(shape)
        takes = entries.entry(self.name).takes
        missing = [f"no {key} (here {value})" for key, value in asked.items() if key not in takes and value != own[key]]
        return f"; its function takes {' and '.join(missing)}" if missing else ""

    @preserved_settings()
    def build(self, shape: Input) -> nn.Module:
        """The network with freshly drawn weights. Raises ArchbenchError when it cannot be built."""
        assert self.equal is None or self.width is not None, "budget.settled finds the width of an equal network"
        knobs = {key: value for key, value in self.knobs if key not in ADDED_KNOBS}
        if self.width is not None:
            knobs["width"] = self.width
        if entries.is_external(self.name):
            return self._with_parameters(entries.entry(self.name).build(shape.num_classes, shape.in_channels, shape.image_size), shape)
        try:
            return zoo.create(self.name, shape.num_classes, shape.in_channels, shape.image_size, **knobs)
        except zoo.ZooError as error:
            raise ArchbenchError(str(error)) from None

    def _with_parameters(self, network: nn.Module, shape: Input) -> nn.Module:
        """The network after one forward pass where it has lazy layers, whose parameters come to be only then."""
        if any(isinstance(each, nn.parameter.UninitializedParameter) for each in network.parameters()):
            with torch.no_grad():
                network.eval()(shape.example(1))
            network.train()
        return network

    @preserved_settings()
    def weightless(self, shape: Input) -> tuple[nn.Module, torch.Tensor]:
        """The network in evaluation mode and one image for it, on the meta device: a forward pass costs neither memory nor arithmetic.

        A network from outside the zoo that cannot run there comes with weights, on the CPU.
        """
        try:
            with torch.device("meta"), preserved_settings():  # what the network names a default must not outlive the meta device
                network, image = self.build(shape).eval(), shape.example(1, "meta")
                if entries.is_external(self.name):
                    network(image)
        except ArchbenchError:
            raise
        except Exception:  # no kernel on the meta device, a value asked for, a mistake: the CPU tells which
            if not entries.is_external(self.name):
                raise
            network, image = self.build(shape).eval(), shape.example(1)
        return network, image

    def snapshot(self, shape: Input) -> ModelSnapshot:
        """All that a Record keeps of the network."""
        spec = dataclasses.asdict(self.spec)
        return ModelSnapshot(
            label=self.label,
            name=self.name,
            knobs={**dict(self.knobs), **({"width": self.width} if self.width is not None else {})},
            source_sha256=entries.entry(self.name).source_sha256,
            spec={**spec, "head_kind": self.head_kind},
            **dataclasses.asdict(shape),
        )


def _text(value: registry.KnobValue) -> str:
    """A value as a user would type it."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
