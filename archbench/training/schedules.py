"""The learning rate of each step as a share of its peak, by the name of a schedule.

`linear`, `cosine`, `constant` and `step` are given in full here; `torch:OneCycleLR` runs a scheduler of torch.optim.lr_scheduler and
`timm:cosine` one of timm, once, before the training, and keeps the shares. So a resumed training needs no state of a scheduler. What such a
scheduler calls epochs are steps here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from archbench.errors import ArchbenchError, brief, unknown
from archbench.training.recipe import Recipe

TORCH, TIMM = "torch:", "timm:"
OURS = ("num_epochs", "warmup_epochs", "warmup_lr", "warmup_prefix", "cooldown_epochs")  # options of timm that a recipe has keys for
OF_TIMM = ("cosine", "tanh", "step", "multistep", "poly", "constant", "wsd", "rsqrt")
UNFIT = ("ReduceLROnPlateau", "LRScheduler", "SequentialLR", "ChainedScheduler", "LambdaLR", "MultiplicativeLR")


def _step(progress: float, recipe: Recipe) -> float:
    """A factor of `gamma` at each milestone, which is a share of the whole run."""
    share = recipe.warmup_fraction + progress * (1 - recipe.warmup_fraction)
    return float(recipe.gamma ** sum(share >= milestone for milestone in recipe.milestones))


# from the share of the run behind the warm-up to the share of the peak rate
CURVES: dict[str, Callable[[float, Recipe], float]] = {
    "linear": lambda progress, recipe: 1 - progress,
    "cosine": lambda progress, recipe: (1 + math.cos(math.pi * progress)) / 2,
    "constant": lambda progress, recipe: 1.0,
    "step": _step,
}


def factors(recipe: Recipe, steps: int) -> list[float]:
    """The share of the peak rate at each of so many steps: a line up over the warm-up, then the schedule over the rest.

    Raises ArchbenchError for a schedule or option that is not known.
    """
    warmup = recipe.warmup_fraction * steps
    rising = [(step + 1) / (warmup + 1) for step in range(steps) if step < warmup]
    rest = steps - len(rising)
    if recipe.schedule.startswith(TORCH):
        return rising + _from_torch(recipe, rest)
    if recipe.schedule.startswith(TIMM):
        return rising + _from_timm(recipe, rest)
    if recipe.schedule not in CURVES:
        raise unknown("schedule", recipe.schedule, [*CURVES, "torch:NAME", "timm:NAME"])
    if recipe.schedule_options:
        raise ArchbenchError(f"schedule_options belong to a schedule of torch or timm; {recipe.schedule} takes none")
    curve = CURVES[recipe.schedule]
    return rising + [curve((step - warmup) / max(steps - warmup, 1), recipe) for step in range(len(rising), steps)]


def _from_torch(recipe: Recipe, steps: int) -> list[float]:
    name = recipe.schedule.removeprefix(TORCH)
    module = torch.optim.lr_scheduler
    known = {
        key
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, module.LRScheduler) and key not in UNFIT and not key.startswith("_")
    }
    if name not in known:
        raise unknown("schedule of torch", name, sorted(known))
    length = {"OneCycleLR": "total_steps", "CosineAnnealingLR": "T_max", "PolynomialLR": "total_iters", "LinearLR": "total_iters"}
    options: dict[str, Any] = {length[name]: max(steps, 1)} if name in length else {}
    options |= {"max_lr": 1.0} if name in ("OneCycleLR", "CyclicLR") else {}
    options |= {"cycle_momentum": False} if name in ("OneCycleLR", "CyclicLR") else {}
    return _run(recipe, steps, lambda optimizer: getattr(module, name)(optimizer, **{**options, **recipe.schedule_options}), updates=False)


def _from_timm(recipe: Recipe, steps: int) -> list[float]:
    try:
        from timm.scheduler import create_scheduler_v2  # type: ignore[attr-defined]
    except ImportError:
        raise ArchbenchError(f"the schedule {recipe.schedule} needs timm: pip install timm") from None
    name = recipe.schedule.removeprefix(TIMM)
    if name not in OF_TIMM:
        raise unknown("schedule of timm", name, OF_TIMM)
    if said := sorted(set(OURS) & set(recipe.schedule_options)):
        raise ArchbenchError(f"{said[0]} is said by epochs and warmup_fraction of the recipe, not by schedule_options")
    options = {"num_epochs": max(steps, 1), "warmup_epochs": 0, **recipe.schedule_options}
    return _run(recipe, steps, lambda optimizer: create_scheduler_v2(optimizer, sched=name, **options)[0], updates=True)


def _run(recipe: Recipe, steps: int, make: Callable[[torch.optim.Optimizer], Any], updates: bool) -> list[float]:
    """The rates that a scheduler gives to an optimizer whose rate is 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    found = []
    try:
        scheduler = make(optimizer)
        optimizer.step()  # a scheduler that steps before its optimizer warns
        for step in range(steps):
            found.append(float(optimizer.param_groups[0]["lr"]))
            if step + 1 < steps:
                scheduler.step(step + 1) if updates else scheduler.step()
    except Exception as error:  # of any kind, as options fail that are somebody else's to check
        raise ArchbenchError(f"the schedule {recipe.schedule}: {brief(error)}") from None
    return found
