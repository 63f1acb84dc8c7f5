"""What else happens on the machine while something is measured: clocks, temperature, memory, and what others use of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import psutil

from archbench.records.schema import Doubt

if TYPE_CHECKING:
    from archbench.device import Device

CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")
FOLLOWING_DRIVERS = ("intel_pstate", "amd-pstate-epp")  # their powersave is no slow clock, but one that follows the load
SHORTEST_S = 0.5  # the kernel counts time in ticks of up to 10 ms: of less than this no share can be told
BUSY_PCT, STEAL_PCT = 5.0, 1.0
BUSY_BESIDE_GPU_PCT = 50.0  # a GPU needs a core that feeds it, not the whole processor
FALLEN, NEAR_C = 0.9, 5.0  # the clock after, as a share of that before; degrees below the critical temperature


def sample(device: Device) -> dict[str, Any]:
    """Facts of this moment; None where the system does not tell.

    `clock_hz` is that of the fastest core, `load_average` is over the last minute. `temperature_c` is the device's: of the hottest core,
    or of the GPU, for which `gpu_clock_hz`, `gpu_power_w`, `gpu_utilization_pct` and `gpu_other_processes` are there too.
    """
    temperature_c, critical_c = hottest_core()
    facts = {
        "governor": governor(),
        "clock_driver": _read(CPUFREQ / "scaling_driver"),
        "clock_hz": max((1e6 * core.current for core in frequencies()), default=0) or None,
        "temperature_c": temperature_c,
        "temperature_critical_c": critical_c,
        "load_average": psutil.getloadavg()[0],
        "available_bytes": psutil.virtual_memory().available,
    }
    return {**facts, **_gpu(device.index)} if device.kind == "cuda" else facts


def governor() -> str | None:
    """What sets the clock of the first core, where Linux tells."""
    return _read(CPUFREQ / "scaling_governor")


def frequencies() -> list[Any]:
    """psutil's present, lowest and highest clock of each core in MHz; none where the system does not tell."""
    try:
        return list(psutil.cpu_freq(percpu=True))
    except (AttributeError, NotImplementedError, OSError):  # not on this system; not on this processor; not in this container
        return []


def hottest_core() -> tuple[float | None, float | None]:
    """The highest temperature that a sensor in the processor shows, and that sensor's critical one, in °C."""
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    cores = [reading for name in CPU_SENSORS for reading in sensors.get(name, ())]
    hottest = max(cores, key=lambda reading: reading.current, default=None)
    return (None, None) if hottest is None else (hottest.current, hottest.critical)


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


def _gpu(index: int) -> dict[str, Any]:
    from torch import cuda

    return {
        "gpu_clock_hz": _told(lambda: 1e6 * cuda.clock_rate(index)),
        "gpu_power_w": _told(lambda: cuda.power_draw(index) / 1e3),
        "gpu_utilization_pct": _told(lambda: cuda.utilization(index)),
        "gpu_other_processes": _told(lambda: _others_among(cuda.list_gpu_processes(index))),
        "temperature_c": _told(lambda: cuda.temperature(index)),
        "temperature_critical_c": None,
    }


def _told(read: Callable[[], Any]) -> Any:
    """What the driver tells, or None: nvidia-ml-py is not installed, the driver refuses, or it knows a process but not its memory."""
    try:
        return read()
    except _driver_errors():
        return None


def _driver_errors() -> tuple[type[Exception], ...]:
    try:
        from pynvml import NVMLError
    except ModuleNotFoundError:
        return (ModuleNotFoundError, RuntimeError)
    return (NVMLError, RuntimeError, TypeError)


def _others_among(listed: str) -> int | None:
    """How many of the processes in torch's list are neither this one nor its children.

    None without a list, and where it gives numbers that no process here has: those of another container or of its host.
    """
    found = {int(number) for number in re.findall(r"^process +(\d+)", listed, re.MULTILINE)}
    if not listed.startswith("GPU:") or not all(psutil.pid_exists(number) for number in found):
        return None
    return len(found - {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))})


class Watch:
    """Watches the machine from its making until it is stopped."""

    def __init__(self, device: Device) -> None:
        self._device, self._before = device, sample(device)
        self._start = _Spent.now()

    def stop(self) -> dict[str, Any]:
        """What happened meanwhile: `before` and `after` (see `sample`), `seconds`, `others_cpu_pct` and `steal_pct`.

        Both shares are percent of what all cores could have done, None where unknown: the work of processes other than this one and its
        children, those that ended meanwhile included; and what a virtual machine's host kept for itself.
        """
        spent = _Spent.now() - self._start
        return {"before": self._before, "after": sample(self._device), "seconds": spent.wall_s, **spent.shares()}


class _Spent(NamedTuple):
    """Seconds until now on a clock, and of all cores together: passed, worked, kept by the host, worked by us."""

    wall_s: float
    cores_s: float
    busy_s: float
    steal_s: float
    ours_s: float

    @classmethod
    def now(cls) -> Self:
        times = psutil.cpu_times()._asdict()
        guests = times.get("guest", 0.0) + times.get("guest_nice", 0.0)  # Linux counts them in user and nice already
        cores_s, steal_s = sum(times.values()) - guests, times.get("steal", 0.0)
        return cls(time.perf_counter(), cores_s, cores_s - times["idle"] - times.get("iowait", 0.0) - steal_s, steal_s, _ours_s())

    def __sub__(self, earlier: _Spent) -> _Spent:
        return _Spent(*(now - then for now, then in zip(self, earlier, strict=True)))

    def shares(self) -> dict[str, float | None]:
        if self.wall_s < SHORTEST_S or self.cores_s <= 0:
            return {"others_cpu_pct": None, "steal_pct": None}
        others_s = max(self.busy_s - self.ours_s, 0.0)
        return {"others_cpu_pct": 100 * others_s / self.cores_s, "steal_pct": 100 * max(self.steal_s, 0.0) / self.cores_s}


def _ours_s() -> float:
    """CPU seconds of this process, of its children that have ended, and of those that live with theirs."""
    seconds = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        try:
            seconds += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:  # it has just ended
            continue
    return seconds


def doubts(conditions: dict[str, Any], device_kind: str) -> list[Doubt]:
    """What a watch found that makes the figures taken meanwhile doubtful: `busy`, `steal`, `governor`, `hot`."""
    found = {
        "busy": [*_busy(conditions, device_kind)],
        "steal": [*_steal(conditions["steal_pct"])],
        "governor": [*_governor(conditions["after"])],
        "hot": [*_hot(conditions["before"], conditions["after"], "gpu_clock_hz" if device_kind == "cuda" else "clock_hz")],
    }
    return [Doubt(code=code, message=message) for code, messages in found.items() for message in messages]


def _busy(conditions: dict[str, Any], device_kind: str) -> Iterator[str]:
    others_pct = conditions["others_cpu_pct"]
    if others_pct is not None and others_pct > (BUSY_BESIDE_GPU_PCT if device_kind == "cuda" else BUSY_PCT):
        yield f"other processes used {others_pct:.0f} % of the CPU meanwhile"
    on_gpu = max(conditions[when].get("gpu_other_processes") or 0 for when in ("before", "after"))
    if on_gpu:
        yield "another process was on the GPU meanwhile" if on_gpu == 1 else f"{on_gpu} other processes were on the GPU meanwhile"


def _steal(steal_pct: float | None) -> Iterator[str]:
    if steal_pct is not None and steal_pct > STEAL_PCT:
        yield f"the host of this virtual machine took {steal_pct:.1f} % of its CPU for others meanwhile"


def _governor(now: dict[str, Any]) -> Iterator[str]:
    name, driver = now["governor"], now["clock_driver"]
    if name == "powersave" and driver not in FOLLOWING_DRIVERS:
        yield "the governor powersave holds the lowest clock; performance would hold the highest"
    elif name == "userspace":
        yield "the governor userspace holds a clock that somebody chose; performance would hold the highest"
    elif name not in (None, "performance"):
        yield f"under the governor {name}{f' of {driver}' if driver else ''} the clock follows the load; performance would hold it"


def _hot(before: dict[str, Any], after: dict[str, Any], clock: str) -> Iterator[str]:
    earlier, later = before[clock], after[clock]
    if earlier is not None and later is not None and later < FALLEN * earlier:
        yield f"the clock fell from {earlier / 1e9:.2f} to {later / 1e9:.2f} GHz meanwhile"
    temperature_c, critical_c = after["temperature_c"], after["temperature_critical_c"]
    if temperature_c is not None and critical_c and temperature_c >= critical_c - NEAR_C:
        yield f"it reached {temperature_c:.0f} °C, where {critical_c:.0f} °C is critical"
