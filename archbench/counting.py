"""Counts of models by name and of a user's live modules, and the reasons why other counters' numbers differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from archbench import catalogue
from archbench.errors import ArchbenchError, brief
from archbench.measure import complexity, crosscheck
from archbench.measure.complexity import Complexity
from archbench.measure.operators import CLASSES
from archbench.models import parse
from archbench.models.isolation import preserved_settings
from archbench.publish.writing.markdown import table_lines

Tensors = torch.Tensor | tuple[torch.Tensor, ...]


def rows(names: Iterable[str], explain: bool, given: Mapping[str, int | None]) -> list[dict[str, Any]]:
    """Each model's counts for its own input, changed as `given` says; with `explain` other counters beside them.

    Torch's settings and random state stay as they were.
    """
    with preserved_settings(), torch.random.fork_rng(devices=[]):
        return [_row(model.label, explain, given) for model in parse(names)]


def _row(label: str, explain: bool, given: Mapping[str, int | None]) -> dict[str, Any]:
    model, shape = catalogue.shaped(label, **given)
    counted = complexity.count(model, shape)
    row: dict[str, Any] = {"model": label, "params": counted.params, "macs": counted.macs, "activations": counted.activations}
    row["input"] = shape.size
    row["operators"] = counted.by_class("macs")
    row["params_by_class"] = counted.by_class("params")
    row["head"] = {"modules": [name or "the network itself" for name in counted.head.modules], "guessed": counted.head.guessed}
    row["uncounted"] = [each.model_dump() for each in counted.uncounted()]
    if explain:
        compared = crosscheck.compare(*model.weightless(shape), counted.operations)
        row["counters"] = [dataclasses.asdict(each) for each in compared]
    return row


def markdown(counted: Iterable[Mapping[str, Any]]) -> str:
    """A table of counts by operator class, and one of what tells each other counter's number from ours."""
    counted = list(counted)
    kinds = [kind for kind in CLASSES if any(kind in row["operators"] for row in counted)]
    lines = [
        "# MACs by operator class",
        "",
        *table_lines(["model", "input", "params", "MACs", *kinds], [_by_class(row, kinds) for row in counted]),
    ]
    guessed = [f"- {row['model']}: head guessed ({', '.join(row['head']['modules'])})" for row in counted if row["head"]["guessed"]]
    lines += ["", *guessed] if guessed else []
    if any(row.get("counters") for row in counted):
        differing = [(row, each) for row in counted for each in row["counters"]]
        lines += ["", "# Other counters, and what tells their numbers from ours", ""]
        lines += table_lines(["model", "counter", "MACs", "causes"], [_compared(row, each) for row, each in differing])
    return "\n".join(lines) + "\n"


def _by_class(row: Mapping[str, Any], kinds: list[str]) -> list[str]:
    shares = [f"{100 * row['operators'][kind] / row['macs']:.1f} %" if kind in row["operators"] else "–" for kind in kinds]
    return [row["model"], row["input"], f"{row['params']:,}", f"{row['macs']:,}", *shares]


def _compared(row: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    if other["failure"]:
        return [row["model"], other["counter"], "–", other["failure"]]
    causes = [f"{cause['name']} {cause['macs']:+,}" for cause in other["causes"]]
    rest = [f"unexplained {other['unexplained']:+,}"] if other["unexplained"] else []
    return [row["model"], other["counter"], f"{other['macs']:,}", "; ".join([*causes, *rest]) or "none"]


@preserved_settings()
def of_module(module: nn.Module, example: Tensors, head: str | Iterable[str] = ()) -> Complexity:
    """The complexity of a live module for an example input (or several, as a tuple); `head` names the modules of its classifier head.

    The module is run in evaluation mode on the meta device, and stays as it was: mode, weights, gradients, buffers, random state. A
    module that cannot run there runs where it is. Raises ArchbenchError in one line when it cannot run at all.
    """
    if not isinstance(module, nn.Module):
        raise ArchbenchError(f"a torch.nn.Module is counted (got {type(module).__name__}); `archbench count NAME` counts one by its name")
    inputs = _tensors(example)
    modes = {each: each.training for each in module.modules()}
    try:
        with torch.random.fork_rng(devices=[]):
            return _on_meta(module.eval(), inputs, (head,) if isinstance(head, str) else tuple(head))
    except ArchbenchError:
        raise
    except Exception as error:  # what a module that does not fit raises
        raise ArchbenchError(f"{type(module).__name__} cannot run on this input: {brief(error)}") from error
    finally:
        for each, training in modes.items():
            each.training = training


def _tensors(example: Tensors) -> tuple[torch.Tensor, ...]:
    """The inputs of a module. Raises ArchbenchError for anything else, such as the shape of one."""
    inputs = example if isinstance(example, tuple) else (example,)
    strange = [each for each in inputs if not isinstance(each, torch.Tensor)]
    if not strange and inputs:
        return inputs
    found = type(strange[0] if strange else example).__name__
    if isinstance(example, Sequence) and strange and all(isinstance(each, int) for each in example):
        found = f"the shape {tuple(example)}; torch.zeros{tuple(example)} has it"
    raise ArchbenchError(f"example_input is a tensor, such as images (N, C, H, W), or a tuple of tensors, one an argument (got {found})")


def _on_meta(module: nn.Module, inputs: tuple[torch.Tensor, ...], head: tuple[str, ...]) -> Complexity:
    tensors = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}
    shadows = {id(tensor): torch.empty_like(tensor, device="meta") for tensor in tensors.values()}  # one for each, shared ones too
    weightless = {name: shadows[id(tensor)] for name, tensor in tensors.items()}
    try:
        return complexity.complexity_of(module, tuple(each.to("meta") for each in inputs), head, weightless)
    except (RuntimeError, NotImplementedError):  # it holds tensors of its own, or asks for their values
        return complexity.complexity_of(module, inputs, head)
