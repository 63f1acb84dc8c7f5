"""Seconds that all tables, all figures and the report of results/ take, as three processes one behind the other and side by side.

python benchmarks/publishing_time.py [--rounds 5] [--before FOLDER]

`--before` is another working copy, which takes turns with this one: what is compared runs on the same machine in the same minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parents[1]
COMMANDS = {
    "tables": ("tables", "all", "--check"),
    "figures": ("figures", "--out", "{out}/figures"),
    "report": ("report", "--out", "{out}/report.html"),
}


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="a working copy to compare with")
    options = parser.parse_args()
    copies = {"before": options.before.resolve(), "now": HERE} if options.before else {"now": HERE}
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for copy, folder in copies.items():
            for name in (*COMMANDS, "side by side"):
                names = tuple(COMMANDS) if name == "side by side" else (name,)
                taken.setdefault((copy, name), []).append(timed(folder, names))
    for (copy, name), seconds in taken.items():
        wall_s, core_s = (statistics.median(each) for each in zip(*seconds, strict=True))
        print(f"{copy:<8}{name:<14}{wall_s:6.1f} s, {core_s:5.1f} s of a core")
    for copy in copies:
        total_s = sum(statistics.median(wall_s for wall_s, _ in taken[copy, name]) for name in COMMANDS)
        print(f"{copy:<8}{'one by one':<14}{total_s:6.1f} s")


def timed(folder: Path, names: tuple[str, ...]) -> tuple[float, float]:
    """Seconds until all of these are done, and seconds of a core that they took together."""
    with tempfile.TemporaryDirectory() as out:
        begun, core_s, running = time.perf_counter(), 0.0, []
        for name in names:
            words = [word.format(out=out) for word in COMMANDS[name]]
            command = [sys.executable, "-m", "archbench", *words, "--results", str(HERE / "results")]
            silent = subprocess.DEVNULL
            running.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(folder)}, cwd=out, stdout=silent, stderr=silent))
        for process in running:
            _, status, used = os.wait4(process.pid, 0)
            core_s += used.ru_utime + used.ru_stime
            if status:
                sys.exit(f"{process.args} failed")
        return time.perf_counter() - begun, core_s


if __name__ == "__main__":
    main()
