"""From a Record back to what was asked for: the settings and the command that make it again, and what these leave open.

A Record names no folder and no file, so that a folder of images or a recipe of the user's own has to be put in by hand.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.records.schema import Record
from archbench.toml_files import Shelf

RECIPES = Shelf("recipe", "archbench.training", "recipes")
DEFAULTS: dict[str, Any] = {  # of a recipe's keys, as JSON gives them back
    **{"heeds_hints": True, "precision": "auto", "optimizer": "sgd", "optimizer_options": {}, "lr_batch": None, "bias_lr_scale": 1.0},
    **{"last_layer_lr_scale": 1.0, "weight_decay": 0.0, "clip_norm": None, "schedule": "cosine", "schedule_options": {}},
    **{"warmup_fraction": 0.0, "milestones": [], "gamma": 0.1, "label_smoothing": 0.0, "dropout_scale": 1.0, "init": "default"},
    **{"init_std": None, "whiten_first_layer": False, "preprocessing": "normalise", "translate": 0, "flip": False},
    **{"flip_alternates": False, "average": 0.0, "test_flip": False},
}
# pixels a side of the sets that are known by name, and a set of so many classes and channels
SIZES = {"digits": 32, "shapes": 32, "mnist": 28, "fashion_mnist": 28, "svhn": 32, "cifar10": 32, "cifar100": 32, "imagenet": 224}
OF_SHAPES = {(10, 1): "digits", (10, 3): "cifar10", (100, 3): "cifar100", (1000, 3): "imagenet"}
PADDED_SIZE, PADDED_TO, FOLDER_SIZE = 28, 32, 32
FOLDER = "DIR"
Made = tuple[str, dict[str, Any], list[str], str | None]  # command, settings by name, notes, the text of a recipe


@dataclass(frozen=True)
class Remake:
    """How a Record is made again: the command, its settings, the threads of a CPU, and what must be known, a line each.

    `beside` are the other networks with which a profile's rounds were interleaved, `recipe` is the TOML text of the recipe where no
    shipped one is like it.
    """

    command: str
    settings: Settings
    threads: int | None
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    recipe: str | None = None

    @property
    def line(self) -> str:
        """The command line."""
        threads = f"OMP_NUM_THREADS={self.threads} " if self.threads else ""
        return threads + self.settings.command(self.command, self._left_out)

    @property
    def _left_out(self) -> tuple[str, ...]:
        """Settings that the command has no option for."""
        own = {"evaluate": ("models",), "score": ("models", "precision", "deterministic", "batch_size")}
        return own.get(self.command.partition(" ")[0], ())

    @property
    def said(self) -> list[str]:
        """The notes, and what else was timed along."""
        others = [label for label in self.beside if label not in self.settings.models]
        return [*self.notes, *[f"the rounds were interleaved with those of {', '.join(others)}, to be named too"] * bool(others)]


def remake(record: Record) -> Remake:
    """How this Record is made again. Raises ArchbenchError where no command does that, or where it is not as runs leave it; it says why."""
    try:
        command, values, notes, recipe = _MAKERS[record.kind](record)
        device, threads = record.environment["device"]["kind"], record.environment["threads"]
        values |= {"device": device, "precision": record.config["execution"]["precision"], "rerun": True}
        values |= {"deterministic": bool(record.config["execution"]["deterministic"])}
        settings = Settings.of(**values)
    except ArchbenchError as error:
        raise ArchbenchError(f"no command is known that makes Record {record.id} again: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ArchbenchError(f"Record {record.id} does not hold what a run of archbench leaves, so no command makes it again") from None
    known = threads * _processes(record) if device == "cpu" and isinstance(threads, int) else None
    beside = tuple(str(each).partition(" ")[0] for each in record.config.get("interleaved_with") or ())
    return Remake(command, settings, known, (*notes, *_of_source(record)), beside, recipe)


def _processes(record: Record) -> int:
    """How many processes shared the threads of a CPU out, of which the Record tells one's."""
    return int(record.config["execution"].get("devices", 1)) if record.environment.get("engine") == "torchrun" else 1


def joined(found: Iterable[Remake]) -> list[Remake]:
    """The same in as few commands as make just these: models under the same settings together, and their seeds."""
    together: dict[tuple[Any, ...], dict[str, list[Remake]]] = {}
    for each in found:
        rest = dataclasses.replace(each.settings, models=(), seeds=())
        by_model = together.setdefault((each.command, rest, each.threads, each.recipe), {})
        by_model.setdefault(",".join(each.settings.models), []).append(each)
    made = []
    for by_model in together.values():
        by_seeds: dict[tuple[int, ...], list[Remake]] = {}
        for members in by_model.values():
            seeds = tuple(sorted({seed for each in members for seed in each.settings.seeds}))
            by_seeds.setdefault(seeds, []).extend(members)
        made += [_one(members, seeds) for seeds, members in by_seeds.items()]
    return made


def _one(members: list[Remake], seeds: tuple[int, ...]) -> Remake:
    models = tuple(dict.fromkeys(name for each in members for name in each.settings.models))
    notes = tuple(dict.fromkeys(each for member in members for each in member.notes))
    beside = tuple(dict.fromkeys(each for member in members for each in member.beside))
    settings = dataclasses.replace(members[0].settings, models=models, seeds=seeds)
    return dataclasses.replace(members[0], settings=settings, notes=notes, beside=beside)


def _trained(record: Record) -> Made:
    config, model = record.config, record.model
    data, training, execution = config["data"], config["training"], config["execution"]
    written = recipe_of(record)
    recipe, recipe_text, notes = _recipe(written)
    values = {
        "models": [model.label],
        "recipe": recipe,
        "epochs": training["epochs"],
        "batch_size": config["batch"],
        "seeds": [config["seed"]],
        **{name: data.get(name) for name in ("limit_train", "train_fraction", "val_fraction")},
        "skip_broken": bool(data.get("skipped")),
        "flip": training.get("flip"),
        "compile": "auto" if execution.get("compile_auto") else "yes" if execution["compiled"] else "no",
        "micro_batch": "auto" if execution.get("micro_batch_auto") else execution.get("micro_batch"),
        "devices": execution.get("devices"),
        "sync_norm": execution.get("norm_over_devices"),
        "images_from": "files" if data.get("crop") else "auto",
        "tuned": config.get("tuned") is not None,
    }
    if written.get("test_flip", False) != training.get("test_flip", False) and training.get("flip"):
        del values["flip"]  # the option would turn both
    chosen, more = _data(record, data["name"], data["fingerprint"])
    if config.get("tuned") is not None:
        more.append(f"rate and decay come from a search, to be made first: archbench tune, {config['tuned'].get('trials')} trials")
    if source := model.knobs.get("source"):
        more.append(f"the weights of Record {source} must lie in the results folder")
    return "train", {name: value for name, value in (values | chosen).items() if value is not None}, [*notes, *more], recipe_text


def _profiled(record: Record) -> Made:
    config, model, notes = record.config, record.model, []
    values: dict[str, Any] = {"models": [model.label], "batch_size": config["batch"], "time": "time_s" in record.samples}
    for name in ("modes", "launches"):
        if name in config:
            values[name] = config[name]
    if "batches" in config:
        values["batch_sizes"] = config["batches"]
    spec = model.spec
    channels, size = _input_shape(record) or (None, None)
    if (spec.get("num_classes", model.num_classes), channels) != (model.num_classes, model.in_channels):
        name = OF_SHAPES.get((model.num_classes, model.in_channels), "")
        values["dataset"] = name or f"images=imagefolder:{FOLDER}"
        size = SIZES.get(name, FOLDER_SIZE)
        if not name:
            notes.append(f"{FOLDER} stands for a folder of images of {model.num_classes} classes")
    if size != model.image_size:
        values["image_size"] = model.image_size
    if "launches" not in config:
        notes.append("it was timed in one process, as archbench did at its commit")
    return "profile", values, notes, None


def _imported(record: Record) -> Made:
    if record.config.get("data") is None:
        raise ArchbenchError("it was taken from a file of pytest-benchmark")
    data, (_, size) = record.config["data"], _input_shape(record) or (3, 224)
    sized = {"image_size": record.model.image_size} if record.model.image_size != size else {}
    values = {"models": [record.model.label], "pretrained": True, "batch_size": record.config["batch"], "dataset": data["name"]}
    notes = [f"--data-dir names the folder of {data['name']}, whose fingerprint must be {data['fingerprint']}"]
    return "train", {**values, **sized}, notes, None


def _evaluated(record: Record) -> Made:
    config, source = record.config, str(record.config["weights"]["record"])
    chosen, notes = _data(record, config["data"]["name"], config["data"]["fingerprint"])
    chosen.pop("image_size", None)  # the training's own
    notes = [*notes, f"the weights of Record {source} must lie in the results folder"]
    return f"evaluate {shlex.quote(source)}", {**chosen, "batch_size": config["batch"]}, notes, None


def _explained(record: Record) -> Made:
    source, explain = str(record.config["weights"]["record"]), record.config["explain"]
    layer = f" --layer {shlex.quote(explain['layer_asked'])}" if explain["layer_asked"] else ""
    command = f"score {shlex.quote(source)} --method {shlex.quote(explain['method'])} --n {explain['n']:d}{layer}"
    notes = [f"the weights of Record {source} must lie in the results folder"]
    if not (boxes := explain.get("boxes")):
        return command, {"dataset": record.config["data"]["name"]}, notes, None
    chosen, told = _folder(record.config["data"]["name"], record.config["data"]["fingerprint"])
    told.append(f"{boxes['name']} must tell the same objects, whose SHA-256 is {boxes['sha256']}")
    return f"{command} --boxes {shlex.quote(boxes['name'])}", chosen, [*told, *notes], None


_MAKERS = {"train": _trained, "profile": _profiled, "imported": _imported, "evaluated": _evaluated, "explain": _explained}


def _input_shape(record: Record) -> tuple[int, int] | None:
    """Channels and size of a network's own images; None where its spec, in which anything may stand, does not tell them."""
    found = record.model.spec.get("input_shape")
    told = isinstance(found, list | tuple) and len(found) == 3 and all(type(each) is int for each in found)
    return (found[0], found[1]) if found and told else None


def _data(record: Record, name: str, fingerprint: str) -> tuple[dict[str, Any], list[str]]:
    """The options of the data set, and what must be known of it."""
    known = _size_of(name)
    if known is not None:
        _, native = _input_shape(record) or (0, 0)
        size = min(max(PADDED_SIZE, native), PADDED_TO) if known == PADDED_SIZE else known
        chosen, notes = {"dataset": name}, list[str]()
    else:
        size = FOLDER_SIZE
        chosen, notes = _folder(name, fingerprint)
    return {**chosen, **({"image_size": record.model.image_size} if record.model.image_size != size else {})}, notes


def _folder(name: str, fingerprint: str) -> tuple[dict[str, Any], list[str]]:
    """The same of class folders."""
    what = f"{FOLDER} stands for the folder of {name}, whose images must have the fingerprint {fingerprint}"
    return {"dataset": f"{name}=imagefolder:{FOLDER}"}, [what]


def _size_of(name: str) -> int | None:
    """Pixels a side of a set that is known by name, which for generated shapes says it; None for class folders."""
    kind, *parameters = name.split("+")
    return 64 if kind == "shapes" and "px=64" in parameters else SIZES.get(kind if kind == "shapes" else name)


def recipe_of(record: Record) -> dict[str, Any]:
    """The recipe of a training, in the words of today's recipes; those of the first Records said otherwise which optimizer it is."""
    return as_written_now(record.config["recipe"])


def as_written_now(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe, or the settings resolved from one, in the words of today's."""
    if "decay" not in recipe:
        return dict(recipe)
    kept = {name: value for name, value in recipe.items() if name not in ("decay", "momentum", "nesterov")}
    options = {name: recipe[name] for name in ("momentum", "nesterov") if name in recipe}
    return {**kept, "optimizer": "sgd", "optimizer_options": options, "schedule": recipe["decay"]}


def _recipe(recipe: Mapping[str, Any]) -> tuple[str, str | None, list[str]]:
    """The name of the shipped recipe that is like the Record's; else that of a file, what must be in it, and a note that says so."""
    name = str(recipe["name"])
    if is_shipped(recipe):
        return name, None, []
    at_commit = f", or --recipe {name} at the commit that made the Record" if name in RECIPES.names else ""
    return f"{name}.toml", toml(recipe), [f"{name}.toml holds the recipe, which is none that this version ships{at_commit}"]


def is_shipped(recipe: Mapping[str, Any]) -> bool:
    """Whether the shipped recipe of this name says the same, and nothing else is said but what holds by default."""
    name = str(recipe.get("name"))
    if name not in RECIPES.names:
        return False
    said = json.loads(json.dumps(RECIPES.values(RECIPES.text(name), name)))
    return all(recipe.get(key, DEFAULTS.get(key)) == value for key, value in {**DEFAULTS, **said}.items())


def toml(values: Mapping[str, Any]) -> str:
    """Values as TOML, a line each; what is None is left out, as in a recipe."""
    return "".join(f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in values.items() if value is not None)


def _toml_key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key, ensure_ascii=False)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "nan"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_value(each)}" for key, each in value.items() if each is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(each) for each in value if each is not None) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


def _of_source(record: Record) -> list[str]:
    """What code must be there: archbench's own commit, and a user's file."""
    git, name = record.environment.get("git") or {}, record.model.name
    changed = ", whose files were changed" if git.get("changed") else ""
    lines = [f"made by archbench {record.environment['archbench']} at commit {git['commit']}{changed}"] if git.get("commit") else []
    if ".py:" in name:
        lines.append(f"{Path(name.rpartition(':')[0]).name} must be the file with SHA-256 {record.model.source_sha256}")
    return lines
