"""Seconds that the report takes of a large store: to make, and until headless Chromium shows it and answers to a click.

python benchmarks/report_time.py [--models 60] [--records 20] [--results FOLDER]
"""

from __future__ import annotations

import argparse
import copy
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from archbench import reporting
from archbench.publish.report.content import Source, content
from archbench.publish.report.document import document
from archbench.records.schema import Record, seal

RESULTS = Path(__file__).parent.parent / "results"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
SELECTED = """async () => {
  const begun = performance.now();
  document.querySelector(".chip:not(.chosen)").click();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begun;
}"""
TYPED = """async () => {
  const box = document.getElementById("tables-filter"), begun = performance.now();
  box.value = "3";
  box.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begun;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=60)
    parser.add_argument("--records", type=int, default=20, help="of each model")
    parser.add_argument("--results", type=Path, default=RESULTS, help="whose Records are copied under other names")
    options = parser.parse_args()
    read = reporting.source(options.results)
    many = Source(copies(read.records, options.models, options.records), read.kept, read.specs, read.layers)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for what, source in (("the results folder", read), (f"{options.models} models × {options.records} Records", many)):
            begun = time.perf_counter()
            text = document(content(source))
            seconds = time.perf_counter() - begun
            path = Path(folder) / "report.html"
            path.write_text(text)
            print(f"{what}: made in {seconds:.1f} s, {len(text) / 1e6:.2f} MB; {shown(browser.new_page(), path.as_uri())}")
        browser.close()


def shown(page: Page, address: str) -> str:
    """The median of five loads, and of what a click and a letter in the filter take."""
    loads, clicks, letters = [], [], []
    for _ in range(5):
        page.goto(address)
        loads.append(page.evaluate(LOADED))
        clicks.append(page.evaluate(SELECTED))
        letters.append(page.evaluate(TYPED))
    elements = page.evaluate("document.querySelectorAll('*').length")
    return f"shown in {median(loads):.0f} ms, a click {median(clicks):.0f} ms, a filter {median(letters):.0f} ms, {elements:,} elements"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def copies(records: Sequence[Record], models: int, each: int) -> list[Record]:
    """Records of so many models under one condition, half of them profiles with time by class: copies of a profile and a training."""
    profile = next(record for record in records if record.kind == "profile" and record.measurement("time_s") and record.model.name == "nin")
    training = next(record for record in records if record.kind == "train")
    return [_copy((profile, training)[seed % 2], f"nin_{number}", number, seed) for number in range(models) for seed in range(each)]


def _copy(record: Record, name: str, number: int, seed: int) -> Record:
    fields: dict[str, Any] = copy.deepcopy(record.model_dump(exclude={"id"}))
    fields["model"] |= {"label": name, "name": name}
    fields["model"]["spec"] |= {"year": 1990 + number // 2, "parents": [f"nin_{number // 2}"] if number else []}
    fields["config"]["seed"] = seed
    for row in fields["measurements"]:
        row["value"] = row["value"] and row["value"] * (1 + 0.01 * number + 0.001 * seed)
    return seal(**fields | {"key": f"{name}-{seed}", "group": f"{name}-{record.kind}"})


if __name__ == "__main__":
    main()
