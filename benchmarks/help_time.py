"""Time of `archbench --help` beside a typer application of four commands that does nothing, interleaved; the ratio of medians.

python benchmarks/help_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 25
EMPTY = '''
import typer
app = typer.Typer(add_completion=False, rich_markup_mode=None)
for name in ("run", "train", "profile", "tables"):
    def command(models: str = "nin", epochs: int = 1) -> None:
        """Does nothing."""
    app.command(name=name)(command)
app()
'''


def seconds(command: list[str]) -> float:
    """Seconds from start to end of a process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY)
        commands = {
            "empty typer application": [sys.executable, str(script), "--help"],
            "archbench --help": [sys.executable, "-m", "archbench", "--help"],
            "archbench run --help": [sys.executable, "-m", "archbench", "run", "--help"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(seconds(command))
    base = statistics.median(times["empty typer application"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<26} {1e3 * median:6.0f} ms  {median / base:.2f}x")


if __name__ == "__main__":
    main()
