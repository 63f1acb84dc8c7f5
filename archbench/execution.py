"""How a network is executed: precision, memory layout, compilation. Decided once a job, written into its Record."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import platform
import statistics
from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from archbench import chance
from archbench.device import Device
from archbench.errors import ArchbenchError, UntrainableError
from archbench.records.schema import Strict

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
PROBE_STEPS = 3
WORTH_COMPILING_S = 300.0  # compiling takes up to a minute, and gains a fifth where it gains
# glibc's mallopt: numbers of the parameters, and their defaults
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
DEFAULT_TRIM_THRESHOLD, DEFAULT_MMAP_MAX = 128 * 1024, 65536


class ExecutionPlan(Strict):
    """The choices for one job. `step_s` holds the seconds a training step with SGD took in each way that was tried,
    `update_s` those of a step of the recipe's optimizer alone, where that is another.

    `retain_memory` keeps freed memory in the process during a training on a CPU, which is faster, where none is limited. `micro_batch` is
    how many images go through the network at once, where that is less than the batch; `micro_batch_auto` lets a training find it when
    memory runs out. `compile_auto` says that whether to compile was measured, `compile_s` what trying took. `devices` is how many train one
    network together, each on its part of a batch; `norm_over_devices` lets batch norm see the images of all of them.
    """

    precision: str = "fp32"
    memory_format: str = "contiguous"
    compiled: bool = False
    compile_auto: bool = False
    compile_s: float | None = None
    deterministic: bool = False
    retain_memory: bool = False
    micro_batch: int | None = None
    micro_batch_auto: bool = False
    devices: int = 1
    norm_over_devices: bool = False
    step_s: dict[str, float] = Field(default_factory=dict)
    update_s: float | None = None

    def autocast(self, device: Device, cache: bool = True) -> torch.autocast:
        """Casts what a reduced precision casts, weights once where they are cached; in fp32 and tf32 nothing is cast, whatever was on."""
        dtype = AUTOCAST.get(self.precision)
        return torch.autocast(device.kind, dtype, enabled=dtype is not None, cache_enabled=cache)

    def asked(self, batch: int) -> dict[str, Any]:
        """What was asked for rather than found by measuring: the part that tells one run from another.

        Not how many devices: two that take 64 images each compute the gradients of one that takes twice 64, so they can go on with each
        other's work, apart from what dropout draws and from whose running statistics batch norm keeps.
        """
        compiled = "auto" if self.compile_auto else self.compiled
        seen = self.seen_at_once(batch)
        micro_batch = "auto" if self.micro_batch_auto else seen if seen < batch else None
        asked = {"precision": self.precision, "compiled": compiled, "deterministic": self.deterministic}
        return {**asked, "micro_batch": micro_batch} if micro_batch else asked

    def seen_at_once(self, batch: int) -> int:
        """How many of a batch's images change each other's result where there is batch norm."""
        return (self.micro_batch or batch) * (self.devices if self.norm_over_devices else 1)

    def on(self, other: ExecutionPlan) -> ExecutionPlan:
        """What this one chose by measuring, on the devices, and in the parts that these need, of another that asks for the same."""
        parts = {} if other.micro_batch_auto else {"micro_batch": other.micro_batch}
        asked = {name: getattr(other, name) for name in ("devices", "norm_over_devices", "retain_memory")}
        return self.model_copy(update={**asked, **parts})

    @property
    def step_seconds(self) -> float:
        """What a training step took where it was timed in the way that was chosen; else 0."""
        return self.step_s.get(f"{self.memory_format} compiled" if self.compiled else self.memory_format, 0.0)

    def lay_out(self, tensor: torch.Tensor) -> torch.Tensor:
        """A batch of images in the plan's memory layout."""
        return tensor.contiguous(memory_format=LAYOUTS[self.memory_format])

    def place(self, model: nn.Module, device: Device) -> nn.Module:
        """The model on the device, its weights in the plan's memory layout."""
        model.to(device.torch)
        return model.to(memory_format=LAYOUTS[self.memory_format])


def resolve_precision(requested: str, device: Device, training: bool) -> str:
    """The precision behind `auto`. Raises ArchbenchError when the device cannot compute in the one that is named."""
    if requested == "auto":
        return "bf16" if training and device.native_bf16 else "fp32"
    if not device.computes(requested):
        raise ArchbenchError(f"--precision {requested}: {device.name} cannot compute in it; fp32 or bf16 would run")
    return requested


def choose_layout(model: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> ExecutionPlan:
    """The plan with the memory layout in which a training step is fastest, and the seconds of each that was tried.

    Copies are timed, so weights, norms and random state stay as they were. A deterministic plan keeps its layout and is only timed.
    """
    layouts = [plan.memory_format] if plan.deterministic else list(LAYOUTS)
    trials = {name: _trial(model, images, device, plan.model_copy(update={"memory_format": name})) for name in layouts}
    with preserved_random_state(device):
        for trial in trials.values():
            trial.step()
        rounds = [{name: device.time(trial.step) for name, trial in trials.items()} for _ in range(PROBE_STEPS)]
    step_s = {name: statistics.median(times[name] for times in rounds) for name in layouts}
    return plan.model_copy(update={"memory_format": min(step_s, key=step_s.__getitem__), "step_s": step_s})


def training_loss(network: nn.Module, output: Any, labels: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy of logits `(N, classes)`; auxiliary heads, which some networks have in training, add theirs at their weight.

    Raises ArchbenchError for a network that gives something else in training.
    """
    has_heads = isinstance(output, tuple) and hasattr(network, "auxiliary")
    logits, auxiliary = output if has_heads else (output, [])
    if not isinstance(logits, torch.Tensor):
        raise ArchbenchError(f"in training the network gives {type(output).__name__}, not logits of shape (N, classes)")
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    for each in auxiliary:
        loss = loss + float(network.weight) * F.cross_entropy(each.float(), labels, label_smoothing=label_smoothing)  # type: ignore[arg-type]
    return loss


def choose_compilation(model: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan, steps: int) -> ExecutionPlan:
    """The plan, compiled where that pays for itself in so many steps, with what was measured to tell.

    Tried only where the steps take WORTH_COMPILING_S or longer. What compiling costs is the first compiled step. It is paid again when the
    training begins, and that alone is weighed: what was paid here is gone either way. Raises what compiling raises.
    """
    layout = plan.memory_format
    eager_s = plan.step_s[layout]
    if eager_s * steps < WORTH_COMPILING_S:
        return plan
    eager = _trial(model, images, device, plan)
    compiled = _trial(model, images, device, plan.model_copy(update={"compiled": True}))
    torch.compiler.reset()
    with preserved_random_state(device):
        cost_s = device.time(compiled.step)
        eager.step()
        rounds = [(device.time(eager.step), device.time(compiled.step)) for _ in range(PROBE_STEPS)]
    eager_s, compiled_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    step_s = {**plan.step_s, layout: eager_s, f"{layout} compiled": compiled_s}
    pays = cost_s + steps * compiled_s < steps * eager_s
    return plan.model_copy(update={"compiled": pays, "compile_s": cost_s, "step_s": step_s})


class TrainingStep:
    """A training step that is measured: SGD with momentum on images `(N, C, H, W)`, each of class 0, in a plan's precision.

    The network is put into training mode; its weights hardly move.
    """

    def __init__(self, network: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> None:
        self.network, self.images, self.device, self.plan = network.train(), images, device, plan
        self.forward = torch.compile(network, dynamic=False) if plan.compiled else network
        self.labels = torch.zeros(len(images), dtype=torch.long, device=images.device)
        self.optimizer = torch.optim.SGD([{"params": list(network.parameters())}], lr=1e-6, momentum=0.9)

    def loss(self) -> torch.Tensor:
        """The forward pass and the loss. Raises UntrainableError where it depends on no parameter."""
        with self.plan.autocast(self.device):
            loss = training_loss(self.network, self.forward(self.images), self.labels)
        if not loss.requires_grad:
            raise UntrainableError("no gradient reaches a parameter: none is trained, or gradients are turned off on the way")
        return loss

    def step(self) -> None:
        """All of it."""
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()


def _trial(model: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> TrainingStep:
    """The training step of a copy of a model, in the plan's layout."""
    return TrainingStep(plan.place(copy.deepcopy(model), device), plan.lay_out(images.to(device.torch)), device, plan)


@contextlib.contextmanager
def preserved_random_state(device: Device) -> Iterator[None]:
    """Random numbers drawn inside leave no trace outside."""
    devices = [device.index] if device.kind == "cuda" else []
    before = chance.state()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        chance.restore(before)


@contextlib.contextmanager
def retained_memory(plan: ExecutionPlan) -> Iterator[None]:
    """On a CPU with glibc, keep freed memory in the process inside the context, and give it back afterwards.

    A training step frees and allocates the same large activations again and again. By default glibc maps each anew, and the kernel
    clears its pages every time. See mallopt(3).
    """
    if not plan.retain_memory:
        yield
        return
    glibc = ctypes.CDLL(None)
    glibc.mallopt(M_MMAP_MAX, 0)
    glibc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        glibc.mallopt(M_MMAP_MAX, DEFAULT_MMAP_MAX)
        glibc.mallopt(M_TRIM_THRESHOLD, DEFAULT_TRIM_THRESHOLD)
        gc.collect()
        glibc.malloc_trim(0)


def can_retain_memory(device: Device) -> bool:
    """Whether `retained_memory` can do anything: on a CPU, with glibc."""
    return device.kind == "cpu" and platform.libc_ver()[0] == "glibc"


@contextlib.contextmanager
def numerics(plan: ExecutionPlan) -> Iterator[None]:
    """Torch's global switches as the plan needs them, and as they were before afterwards. TF32 is on only where it is named."""
    tf32 = plan.precision == "tf32"
    before = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark)
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = not plan.deterministic
    torch.use_deterministic_algorithms(plan.deterministic)
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before
        torch.use_deterministic_algorithms(deterministic)


def missing_compiler(device: Device) -> str | None:
    """Why torch.compile cannot work here, or None when it can."""
    if device.kind == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "Triton is not installed"
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        return "no C++ compiler was found"
    return None
