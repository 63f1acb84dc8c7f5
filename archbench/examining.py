"""What this machine is fit to measure: facts, short measurements, and advice where something is doubtful."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

import archbench
import zoo
from archbench import conditions, environment, execution, stats
from archbench.device import Device, choose
from archbench.events import Listener, Notice
from archbench.measure import peaks
from archbench.measure.forward import Forward
from archbench.measure.latency import NARROW
from archbench.models import Model
from archbench.records.schema import Doubt

GB, GIB = 1e9, 2**30
REFERENCE, REFERENCE_S, LEAST_ROUNDS = "nin", 3.0, 12
SLOWER = 0.9  # of the rate of fp32: less is no noise
PRECISIONS = {"cpu": ("bf16",), "cuda": ("tf32", "bf16", "fp16"), "mps": ("fp16",)}  # besides fp32
LEAST_MEMORY_BYTES = 2 * GIB
CIFAR_BYTES = 170_498_071 + 60_000 * 3_073  # the archive, and what is in it
EXTRAS = {
    "crosscheck": ("ptflops", "torchinfo"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "tune": ("optuna",),
}  # as in pyproject.toml
USERS = {"crosscheck": "archbench count --explain", "onnx": "archbench export", "tune": "archbench tune"}
GPU_SENSORS = "nvidia-ml-py"
CLOCKS = {"clock_hz": "", "gpu_clock_hz": " (GPU)"}
FLOAT_BYTES = 4
NOT_TOLD = "not told by this system"
REMEDIES = {
    "busy": "stop them, or expect figures marked busy",
    "steal": "expect figures marked steal; a machine of its own is quieter",
    "governor": "sudo cpupower frequency-set -g performance",
    "hot": "let the machine cool, and mind its power and its air",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: in words, as values for a program, and what to do where it is doubtful."""

    topic: str
    found: str
    values: dict[str, Any] = field(default_factory=dict)
    advice: str | None = None


def examine(requested: str, results: Path, data: Path, emit: Listener) -> Iterator[Finding]:
    """All findings about a device and the folders for results and data, one by one; takes about ten seconds.

    Raises ArchbenchError for a device that is not there.
    """
    device = choose(requested)
    emit(Notice("measuring, for about ten seconds"))
    yield versions()
    yield chip(device)
    yield cores()
    yield vectors()
    yield from products(device)
    yield copying(device)
    yield compiler(device)
    yield from quiet(device)
    yield from memory(device)
    yield disk("disk for results", results, *_largest_training())
    yield disk("disk for data", data, CIFAR_BYTES, "CIFAR-10 with its archive")
    yield from extras(device)


def versions() -> Finding:
    """Of what runs here."""
    found = {"archbench": archbench.__version__, "python": platform.python_version(), "torch": torch.__version__}
    return Finding("versions", ", ".join(f"{name} {version}" for name, version in found.items()), found)


def chip(device: Device) -> Finding:
    """The device and what it says of itself."""
    facts = device.facts
    said = [f"{device.kind}: {device.name}"]
    if facts:
        said += [f"capability {facts['capability']}", f"CUDA {facts['cuda']}", f"cuDNN {facts['cudnn']}"]
    return Finding("device", ", ".join(said), {"kind": device.kind, "name": device.name, **facts})


def cores() -> Finding:
    """Cores, and the threads that torch runs on them."""
    there, usable, quota = os.cpu_count() or 1, environment.usable_cores(), environment.cpu_quota()
    usable = usable or there
    values = {"cores": there, "usable_cores": usable, "physical_cores": psutil.cpu_count(logical=False), "quota": quota}
    threads = torch.get_num_threads()
    said = f"{usable} of {there} usable, {threads} thread{'s' if threads > 1 else ''} of torch"
    said += f", limited to the time of {quota:g}" if quota else ""
    most = max(1, int(min(usable, quota or usable)))
    real = min(most, values["physical_cores"] or most)
    advice = None
    if threads > most:
        advice = f"threads wait for each other where there are more of them than cores: OMP_NUM_THREADS={most}"
    elif threads < real:
        advice = f"figures are those of {threads} of {real} cores: OMP_NUM_THREADS={real} uses all"
    return Finding("cores", said, {**values, "threads": threads}, advice)


def vectors() -> Finding:
    """The vector instructions that torch's own loops use."""
    capability = torch.backends.cpu.get_cpu_capability()
    plain = platform.machine() in ("x86_64", "AMD64") and capability in ("DEFAULT", "NO AVX")
    advice = "the processor has no AVX2, or ATEN_CPU_CAPABILITY keeps torch from it: expect slow figures" if plain else None
    return Finding("vector instructions", capability, {"capability": capability}, advice)


def products(device: Device) -> Iterator[Finding]:
    """The rate of a large matrix product in each precision, measured, and how it compares with fp32."""
    base = peaks.macs_per_s(device, "fp32")
    yield Finding("fp32 products", f"{_scaled(base)}MAC/s", {"macs_per_s": base})
    for precision in PRECISIONS[device.kind]:
        if device.computes(precision):
            rate = peaks.macs_per_s(device, precision)
            said = f"{_scaled(rate)}MAC/s, {rate / base:.2g} times fp32"
            values = {"macs_per_s": rate, "over_fp32": rate / base, "native": device.native_bf16 if precision == "bf16" else None}
            yield Finding(f"{precision} products", said, values, _reduced(precision, rate / base, device))


def _reduced(precision: str, over_fp32: float, device: Device) -> str | None:
    """What to do about a reduced precision that gains nothing, or that `auto` would not take."""
    emulated = precision == "bf16" and not device.native_bf16
    if over_fp32 < SLOWER:
        return f"{precision} is {'emulated' if emulated else 'slower than fp32'} here: --precision fp32"
    return f"no instructions for {precision} were found, so auto takes fp32: --precision {precision} asks for it" if emulated else None


def copying(device: Device) -> Finding:
    """The rate of a copy through memory."""
    rate = peaks.bytes_per_s(device)
    return Finding("memory copy", f"{_scaled(rate)}B/s read and written", {"bytes_per_s": rate})


def compiler(device: Device) -> Finding:
    """Whether torch.compile can work."""
    missing = execution.missing_compiler(device)
    remedy = "pip install triton" if device.kind == "cuda" else "install g++ or clang++"
    advice = None if missing is None else f"{missing}: {remedy}, or leave --compile out"
    return Finding("torch.compile", "its compiler is there" if missing is None else "cannot work", {"missing": missing}, advice)


def quiet(device: Device) -> Iterator[Finding]:
    """How still the machine is: clock, temperature and others while a reference is measured, and how much its rounds differ."""
    watch = conditions.Watch(device)
    rounds = reference_rounds(device)
    watched = watch.stop()
    doubts = conditions.doubts(watched, device.kind)
    yield clock(watched["after"], _advice(doubts, "governor"))
    yield temperature(watched["after"], _advice(doubts, "hot"))
    yield others(watched, _advice(doubts, "busy", "steal"))
    yield noise(rounds)


def _advice(doubts: Iterable[Doubt], *codes: str) -> str | None:
    """What to do about the doubts of these kinds."""
    return "; ".join(f"{doubt.message}: {REMEDIES[doubt.code]}" for doubt in doubts if doubt.code in codes) or None


def reference_rounds(device: Device) -> list[float]:
    """Seconds of a forward pass of NIN on one image, the median of each round, for about three seconds."""
    model, plan = Model(REFERENCE), execution.ExecutionPlan()
    rounds: list[float] = []
    with execution.numerics(plan), execution.preserved_random_state(device):
        network, images = model.build(model.native_input), model.native_input.example(1, device.torch)
        forward = Forward(plan.place(network, device), images, device, plan, "eager")
        forward.warm_up()
        deadline = time.perf_counter() + REFERENCE_S
        while len(rounds) < LEAST_ROUNDS or time.perf_counter() < deadline:
            rounds.append(statistics.median(forward.round()))
    return rounds


def noise(rounds: list[float]) -> Finding:
    """How much the rounds differ, and what difference between two networks could be told from it."""
    seconds, (first, _, third) = stats.median(rounds), statistics.quantiles(rounds, n=4)
    spread_pct, told_pct = 100 * (third - first) / seconds.value, 100 * (seconds.high - seconds.low) / seconds.value
    said = f"{REFERENCE}, 1 image: {1e3 * seconds.value:.3g} ms, middle half of {seconds.n} rounds within {spread_pct:.1f} %; "
    said += f"within one process, differences from {told_pct:.1f} % on can be told"
    values = {"latency_s": seconds.value, "rounds": seconds.n, "spread_pct": spread_pct, "told_pct": told_pct}
    advice = f"below {told_pct:.1f} % nothing can be told: stop what else runs, or expect figures marked noisy"
    return Finding("noise", said, values, advice if told_pct > 200 * NARROW else None)


def clock(now: dict[str, Any], advice: str | None) -> Finding:
    """What sets the processor's clock, and the clocks of the moment."""
    said = [f"governor {now['governor']}"] if now["governor"] else []
    said += [f"{now[name] / 1e9:.2f} GHz{where}" for name, where in CLOCKS.items() if now.get(name)]
    values = {name: now.get(name) for name in ("governor", "clock_driver", *CLOCKS)}
    return Finding("clock", ", ".join(said) or NOT_TOLD, values, advice)


def temperature(now: dict[str, Any], advice: str | None) -> Finding:
    """Of the device, after the reference was measured."""
    values = {name: now[name] for name in ("temperature_c", "temperature_critical_c")}
    said = NOT_TOLD if values["temperature_c"] is None else f"{values['temperature_c']:.0f} °C"
    return Finding("temperature", said, values, advice)


def others(watched: dict[str, Any], advice: str | None) -> Finding:
    """What other processes, and other virtual machines, took meanwhile."""
    values = {name: watched[name] for name in ("others_cpu_pct", "steal_pct")}
    values["gpu_other_processes"] = watched["after"].get("gpu_other_processes")
    said = [f"other processes used {values['others_cpu_pct']:.1f} % of the CPU"] if values["others_cpu_pct"] is not None else []
    said += [f"the host kept {values['steal_pct']:.1f} %"] if values["steal_pct"] else []
    said += [f"{values['gpu_other_processes']} others on the GPU"] if values["gpu_other_processes"] is not None else []
    return Finding("others", ", ".join(said) or NOT_TOLD, values, advice)


def memory(device: Device) -> Iterator[Finding]:
    """Free memory of the machine, and of a GPU."""
    total = psutil.virtual_memory().total
    yield _memory("memory", Device("cpu").free_bytes(), total)
    if device.kind == "cuda":
        yield _memory("GPU memory", device.free_bytes(), device.facts["memory_bytes"])


def _memory(topic: str, free: int | None, total: int) -> Finding:
    values = {"free_bytes": free, "bytes": total}
    if free is None:
        return Finding(topic, NOT_TOLD, values)
    short = free < LEAST_MEMORY_BYTES
    advice = f"less than {LEAST_MEMORY_BYTES / GIB:g} GiB: stop what else holds it, or take a smaller --batch-size" if short else None
    return Finding(topic, f"{free / GIB:.1f} of {total / GIB:.1f} GiB free", values, advice)


def disk(topic: str, folder: Path, needed: int, what: str) -> Finding:
    """Free disk where a folder is or would be made; doubtful below the bytes that are needed, or where it cannot be written."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free, values = psutil.disk_usage(str(there)).free, {"folder": str(folder), "needed_bytes": needed}
    advice = f"{what} takes {needed / GB:.1f} GB: make room, or choose another folder" if free < needed else None
    if not os.access(there, os.W_OK):
        advice = f"{there} cannot be written: choose another folder"
    return Finding(topic, f"{free / GB:.1f} GB free for {folder}", {**values, "free_bytes": free}, advice)


def _largest_training() -> tuple[int, str]:
    """Bytes that the training of the zoo's largest network leaves: its weights, and a checkpoint with momentum beside them."""
    params, name = max((published.params, name) for name in zoo.names() for published in zoo.get(name).published)
    return 3 * FLOAT_BYTES * params, f"a training of {name}, weights and checkpoint,"


def extras(device: Device) -> Iterator[Finding]:
    """Optional packages: which are not installed, and what needs them."""
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if not _installed(name)]
        advice = f"{USERS[extra]} needs it: pip install 'archbench[{extra}]'" if missing else None
        yield Finding(extra, f"without {', '.join(missing)}" if missing else "installed", {"missing": missing}, advice)
    if device.kind == "cuda" and not _installed(GPU_SENSORS):
        yield Finding(GPU_SENSORS, "not installed", {}, f"the GPU's clock and temperature need it: pip install {GPU_SENSORS}")


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _scaled(rate: float) -> str:
    """`102 G`, `1.2 T`: three digits and the prefix of a unit."""
    factor, prefix = (1e12, "T") if rate >= 1e12 else (1e9, "G")
    return f"{rate / factor:.3g} {prefix}"
