"""What a user may set, from the edge to where it is used: one frozen `Settings`.

The command line's options are made from these fields, so nothing here imports pydantic before a value is checked. The text in each
annotation is the option's help.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from annotated_types import Ge, Gt, Le, Lt

from archbench.errors import ArchbenchError, unknown
from archbench.placing import LOCAL, WORKERS, Placing
from archbench.sharding import Shard

PRECISIONS = ("auto", "fp32", "tf32", "bf16", "fp16")
COMPILE = ("no", "yes", "auto")
MODES = ("eager", "compiled", "cuda_graph")
IMAGES_FROM = ("auto", "memory", "mapped", "files")
TRACKERS = ("tensorboard", "mlflow", "wandb")
DEFAULT_DATA_DIR = Path("~/.cache/archbench")
INDEX = DEFAULT_DATA_DIR / "index"  # the folder of what `archbench.records.index` keeps
LARGEST_SEED = 2**32 - 1
MOST, MOST_PIXELS = 1_000_000, 8192
MOST_RUNS = 10_000  # that are planned without being asked twice


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run can be told. Built by `Settings.of`, which checks it."""

    models: Annotated[
        tuple[str, ...],
        "Names, globs (resnet*) or groups (all, lineage, imagenet), with commas; knobs as nin+head=fc+equal=macs; "
        "timm:NAME, torchvision:NAME or FILE.py:FUNCTION; @FILE holds names, one a line",
    ] = (
        "nin",
        "resnet_bottleneck",
    )
    experiment: Annotated[
        str | None, "A shipped experiment, or your own by the path of a .toml file; what is given beside it overrides it"
    ] = None
    yes: Annotated[bool, "Plan more than 10,000 runs"] = False
    dataset: Annotated[
        str | None,
        "digits, shapes, mnist, fashion_mnist, svhn, cifar10, cifar100, imagenet, imagefolder:DIR or NAME=imagefolder:DIR  "
        "(parameters ride on shapes, as shapes+px=64+link=95)  [default: digits; for profile each model's own input]",
    ] = None
    data_dir: Annotated[Path, "Where data sets are looked for, downloaded to and cached"] = DEFAULT_DATA_DIR
    download: Annotated[bool, "Fetch the data set if it is not there"] = False
    skip_broken: Annotated[bool, "Go on without image files that cannot be read, and record how many"] = False
    images_from: Annotated[
        str,
        "Where images of folders lie: auto (docs/how-to/data.md has the rule), memory, mapped (a cache on the disk) or files, "
        "decoded each time",
    ] = "auto"
    memory_limit: Annotated[
        str | None, "Memory that a process with images of folders may take, as 8GB  [default: half of what is free]"
    ] = None
    pretrained: Annotated[bool, "Test with published weights instead of training; --download fetches them"] = False
    recipe: Annotated[str, "How to train: modern, fast, paper or the path of a .toml file"] = "modern"
    epochs: Annotated[int | None, Ge(1), Le(MOST), "Passes over the training images  [default: the data set's or the recipe's]"] = None
    batch_size: Annotated[int | None, Ge(1), Le(MOST), "Images a step  [default: the data set's or the recipe's]"] = None
    seeds: Annotated[tuple[int, ...], "Seeds, as 0,1,2 or 0-4: each is a run of its own"] = (0,)
    limit_train: Annotated[int | None, Ge(1), "Train on this many images, the same share of each class"] = None
    train_fraction: Annotated[float, Gt(0), Le(1), "Train on this share of each class"] = 1.0
    val_fraction: Annotated[float, Ge(0), Lt(1), "Hold out this share of each class and report its error every epoch"] = 0.0
    flip: Annotated[
        bool | None, "Mirror half of the training images  [default: as the recipe says, where a mirror image keeps its class; folders: yes]"
    ] = None
    image_size: Annotated[int | None, Ge(1), Le(MOST_PIXELS), "Side of the square images, in pixels"] = None
    device: Annotated[str, "auto, cpu, cuda, cuda:N or mps"] = "auto"
    precision: Annotated[str, "auto, fp32, tf32, bf16 or fp16; auto is bf16 for training where the device computes it natively"] = "auto"
    batch_sizes: Annotated[tuple[int, ...], "Batch sizes of the latency, as 1,8,32  [default: 1 and --batch-size]"] = ()
    modes: Annotated[tuple[str, ...], "How the timed forward pass runs: eager, compiled, cuda_graph"] = ("eager",)
    launches: Annotated[int, Ge(1), Le(100), "Processes that time each model one after the other"] = 5
    time: Annotated[bool, "Time forward and backward passes by operator class too"] = False
    trials: Annotated[int, Ge(1), Le(10_000), "Trainings that each model's search may take"] = 12
    span: Annotated[float, Gt(1), Le(1_000), "Search from the recipe's rate and decay divided by this to this many times them"] = 10.0
    tuned: Annotated[bool, "Train each model with the rate and decay that archbench tune found for it"] = False
    compile: Annotated[str, "Compile the training step: no, yes or auto, which measures whether it pays"] = "no"
    micro_batch: Annotated[
        str | None,
        "Images that go through the network at once, the batch staying as it is; auto halves them when memory runs out",
    ] = None
    devices: Annotated[
        int, Ge(1), Le(1024), "Train each model on so many GPUs at once, or processes where the device is a CPU, the batch staying as it is"
    ] = 1
    sync_norm: Annotated[bool, "With --devices, let batch norm see the images of all GPUs; else each sees its own"] = False
    deterministic: Annotated[bool, "Only operations that give the same result each time; memory layout is not probed"] = False
    track: Annotated[tuple[str, ...], "Write curves for these too: tensorboard, mlflow, wandb"] = ()
    shard: Annotated[str | None, "Run one part of the jobs, as 3/16, into --results; archbench merge joins the parts"] = None
    engine: Annotated[
        str,
        "Where trainings run: local, in this process; workers[:N], processes that share cores and GPUs out (workers:N/gpu: N on each GPU); "
        "ray[:ADDRESS], a Ray cluster. Profiles run here, alone, after them",
    ] = "local"
    results: Annotated[Path, "Folder of the Records"] = Path("archbench-runs")
    tag: Annotated[tuple[str, ...], "Mark the Records of this run, also those that are there already; several with commas"] = ()
    rerun: Annotated[bool, "Run again what has a Record already, instead of going on where an earlier run stopped"] = False

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Settings from values as the command line or a notebook gives them. Raises ArchbenchError in one line."""
        fields = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in fields:
                raise unknown("setting", name, fields)
        told = {**values, **_spelled_out(values)}
        for field in dataclasses.fields(cls):
            if isinstance(told.get(field.name), bool) and "bool" not in str(field.type):  # which pydantic would take for 1
                raise ArchbenchError(f"--{field.name.replace('_', '-')}: {told[field.name]} is no value for it")
        settings: Self = _checked(cls, told)
        return settings

    def command(self, command: str, leave_out: Iterable[str]) -> str:
        """The command line of a command that takes these settings: those that are not the defaults, without some."""
        words = ["archbench", command]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in leave_out or (value == field.default and field.name != "models"):
                continue
            option = field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                words += [f"--{option}", shlex.quote(text)]
        return " ".join(words)

    @property
    def memory_limit_bytes(self) -> int | None:
        """The limit in bytes. Raises ArchbenchError for what is no size."""
        return None if self.memory_limit is None else parse_bytes(self.memory_limit)

    @property
    def processes_beside(self) -> int | None:
        """How many on this machine train beside this one, with images of their own; None where it is one for each core or GPU."""
        placing = Placing.of(self.engine)
        if placing.engine == WORKERS:
            return placing.workers
        return self.devices if self.devices > 1 and placing.engine == LOCAL else 0

    @property
    def data_root(self) -> Path:
        """The data folder with the home directory filled in."""
        return expanded(self.data_dir)


def too_many(runs: int) -> ArchbenchError:
    """For a grid that is planned only where that is meant."""
    return ArchbenchError(f"this is a grid of {runs:,} runs; give --yes to plan more than {MOST_RUNS:,}")


def expanded(path: Path) -> Path:
    """A path with `~` filled in. Raises ArchbenchError where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ArchbenchError(f"{path}: there is no such home directory") from None


def _spelled_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have several spellings, from the one on a command line or in a notebook."""
    spelled: dict[str, Any] = {}
    if "models" in values:
        spelled["models"] = named_models(values["models"])
    if "batch_sizes" in values:
        spelled["batch_sizes"] = parse_batch_sizes(values["batch_sizes"])
    for name in ("modes", "tag", "track"):
        if isinstance(values.get(name), str):
            spelled[name] = split_names(values[name])
    if isinstance(values.get("compile"), bool):
        spelled["compile"] = "yes" if values["compile"] else "no"
    if isinstance(values.get("memory_limit"), int):
        spelled["memory_limit"] = f"{values['memory_limit']}B"
    if isinstance(values.get("micro_batch"), int):
        spelled["micro_batch"] = str(values["micro_batch"])
    if "seeds" in values:
        spelled["seeds"] = parse_seeds(values["seeds"])
    return spelled


def named_models(models: Any) -> tuple[str, ...]:
    """Names with commas, or in a list. Raises ArchbenchError for anything else."""
    if isinstance(models, str):
        return split_names(models)
    names = tuple(models) if isinstance(models, Iterable) else (models,)
    if not all(isinstance(name, str) for name in names):
        raise ArchbenchError(f"models takes names, as 'nin,resnet*' or ['nin', 'resnet*'] (got {models!r})")
    return names


def _checked(cls: type[Settings], values: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        settings = TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise ArchbenchError(one_line(error)) from None
    if settings.precision not in PRECISIONS:
        raise unknown("precision", settings.precision, PRECISIONS)
    if settings.images_from not in IMAGES_FROM:
        raise unknown("value of --images-from", settings.images_from, IMAGES_FROM)
    if settings.memory_limit_bytes == 0:
        raise ArchbenchError("--memory-limit 0 leaves no memory for images; leave it out for half of what is free")
    if settings.compile not in COMPILE:
        raise unknown("value of --compile", settings.compile, COMPILE)
    if settings.micro_batch not in (None, "auto") and not re.fullmatch("[1-9][0-9]{0,6}", settings.micro_batch):
        raise ArchbenchError(f"--micro-batch takes a whole number from 1 or auto (got {settings.micro_batch})")
    for mode in settings.modes:
        if mode not in MODES:
            raise unknown("mode", mode, MODES)
    for tracker in settings.track:
        if tracker not in TRACKERS:
            raise unknown("tracker", tracker, TRACKERS)
    if settings.shard is not None:
        Shard.parse(settings.shard)
    Placing.of(settings.engine)
    if not settings.models:
        raise ArchbenchError("--models names no model")
    return settings


def one_line(error: Any) -> str:
    """The first complaint of a pydantic ValidationError, as one line about an option."""
    first = error.errors()[0]
    option = "--" + str(first["loc"][0]).replace("_", "-")
    return f"{option}: {first['msg'][0].lower()}{first['msg'][1:]} (got {first['input']})"


def split_names(text: str) -> tuple[str, ...]:
    """`"nin, resnet*"` to `("nin", "resnet*")`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_seeds(seeds: str | int | Iterable[int]) -> tuple[int, ...]:
    """`"0,2"` to `(0, 2)`, `"0-4"` to `(0, 1, 2, 3, 4)`; a number or a sequence of numbers is taken as it is."""
    if isinstance(seeds, int):
        seeds = (seeds,)
    if not isinstance(seeds, str | Iterable):
        raise ArchbenchError(f"--seeds takes whole numbers from 0 to {LARGEST_SEED} (got {seeds!r})")
    if not isinstance(seeds, str):
        return _valid_seeds(tuple(dict.fromkeys(seeds)), seeds)
    parsed: list[int] = []
    for part in split_names(seeds):
        match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part)
        if match is None:
            raise ArchbenchError(f"--seeds takes numbers as 0,1,2 or a range as 0-4 (got {seeds!r})")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ArchbenchError(f"--seeds: the range {part} runs backwards; {last}-{first} would be right")
        if last > LARGEST_SEED or last - first >= MOST:
            raise ArchbenchError(f"--seeds: {part} is out of range (seeds are 0 to {LARGEST_SEED}, at most {MOST} at a time)")
        parsed.extend(range(first, last + 1))
    return _valid_seeds(tuple(dict.fromkeys(parsed)), seeds)


def parse_batch_sizes(sizes: str | int | Iterable[int]) -> tuple[int, ...]:
    """`"1,8,32"` to `(1, 8, 32)`; a number or a sequence of numbers is taken as it is. Each once, smallest first."""
    if isinstance(sizes, str):
        sizes = [int(part) if part.isascii() and part.isdigit() else 0 for part in split_names(sizes)] or [0]
    found = sorted(set(sizes)) if isinstance(sizes, Iterable) else [sizes]
    if not all(isinstance(size, int) and 1 <= size <= MOST for size in found):
        raise ArchbenchError(f"--batch-sizes takes whole numbers from 1 to {MOST}, as 1,8,32")
    return tuple(found)


def parse_bytes(text: str) -> int:
    """`"8GB"` to 8,000,000,000, `"512MiB"` to 512 x 2^20. Raises ArchbenchError for anything else."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*(?:([KMGT])(I?))?B", text.strip().upper(), re.ASCII)
    if match is None:
        raise ArchbenchError(f"--memory-limit takes a size with its unit, as 8GB or 512MiB (got {text!r})")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** (" KMGT".index(match[2] or " ")))


def _valid_seeds(seeds: tuple[int, ...], given: object) -> tuple[int, ...]:
    if not seeds or not all(type(seed) is int and 0 <= seed <= LARGEST_SEED for seed in seeds):
        raise ArchbenchError(f"--seeds takes whole numbers from 0 to {LARGEST_SEED} (got {given!r})")
    return seeds
