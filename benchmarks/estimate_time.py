"""What trainings or profiles take beside what a plan estimates beforehand: each one's ratio, and that of all of them.

    python benchmarks/estimate_time.py [--models lenet,nin,resnet_bottleneck,squeezenet] [--dataset digits] [--epochs 4] [--recipe modern]
    python benchmarks/estimate_time.py --kind profile [--models lenet,nin,resnet_bottleneck,squeezenet] [--batch-size 32]

What a run takes is the time that its Record tells; what compiling or timing steps takes beforehand is in neither. Of profiles that are
interleaved the first waits until the processes of all have begun, so that the sum says more than each.
"""

from __future__ import annotations

import argparse
import tempfile

from archbench import running
from archbench.events import ignore
from archbench.plan import Plan


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=["train", "profile"], default="train")
    parser.add_argument("--models", default="lenet,nin,resnet_bottleneck,squeezenet")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--batch-size", type=int, default=None)
    options = parser.parse_args()
    names = ("models", "batch_size") if options.kind == "profile" else ("models", "batch_size", "dataset", "epochs", "recipe")
    asked = {name: getattr(options, name) for name in names}
    estimated: dict[str, float] = {}

    def note(plan: Plan) -> None:
        estimated.update(zip((job.key for job in plan.jobs), plan.seconds, strict=True))

    with tempfile.TemporaryDirectory() as folder:
        done = running.execute(running.asked({**asked, "results": folder}, ()), (options.kind,), ignore, note)
    for record in done.records:
        print(f"  {record.model.label:20} {record.duration_s:7.1f} s, {record.duration_s / estimated[record.key]:.2f} of the estimate")
    total, expected = sum(record.duration_s for record in done.records), sum(estimated.values())
    print(f"  {'all of them':20} {total:7.1f} s, {total / expected:.2f} of the estimate")


if __name__ == "__main__":
    main()
