"""The paragraph of a paper that says how its figures came about, from the Records themselves; one for each set of settings.

Only what the Records hold is said. A paragraph is a list of sentences in plain text; who writes it out escapes it for its format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from archbench import remaking
from archbench.publish import captioning, grouping, notes, scored
from archbench.publish.formats import epochs_text
from archbench.records.schema import Record

Sentence = Callable[[Record], str]
_NOT_OURS = (KeyError, TypeError, ValueError, AttributeError)  # of a Record that something else wrote
FINGERPRINT, COMMIT = 16, 10  # digits that are said
COUNTED = (
    "MACs count one multiply-add as 1, of convolutions, linear layers, matrix products and attention; "
    "bias, norm, activation and pooling are not counted."
)
MOST_NAMED = 3
TEST = "The test split was read once, after the last epoch, and picked nothing."
# settings that a network's own wishes may change, as they are called
WISHES = {
    "lr": "learning rate",
    "warmup_fraction": "warm-up",
    "clip_norm": "gradient norm",
    "dropout_scale": "factor on dropout",
}
INITIAL = {"default": "PyTorch's initial weights", "he": "initial weights of He et al.", "normal": "normal initial weights"}


def paragraphs(records: Iterable[Record]) -> list[str]:
    """A paragraph for each set of settings, in the order of the first Record of each."""
    return [_paragraph(settings, members) for settings, members in grouping.by(records, _settings).items()]


def _settings(record: Record) -> tuple[str, ...]:
    """What is said of a Record alone; only what it is called where it does not hold what a run leaves."""
    try:
        return tuple(sentence(record) for sentence in _SENTENCES[_kind(record)])
    except _NOT_OURS:
        return (f"Record {record.id} does not hold what a run of archbench leaves, so that its settings cannot be told.",)


def _paragraph(settings: Sequence[str], records: Sequence[Record]) -> str:
    try:
        found = [_networks(records), *settings, *_layouts(records), *_seeds(records), *_wishes(records), *_ended(records), *_made(records)]
    except _NOT_OURS:
        found = list(settings)
    return " ".join(sentence for sentence in found if sentence)


def _kind(record: Record) -> str:
    return "benchmark" if captioning.is_benchmark(record) else record.kind


def _networks(records: Sequence[Record]) -> str:
    """`nin (seeds 0, 1) and lenet (seed 0) were trained on digits: ...`."""
    said = []
    for label, members in grouping.by(records, lambda record: record.model.label).items():
        seeds = sorted({record.config["seed"] for record in members if record.kind == "train"})
        said.append(f"{label} (seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})" if seeds else label)
    several = len(said) > 1
    subject = f"{', '.join(said[:-1])} and {said[-1]}" if several else said[0]
    return f"{subject} {'were' if several else 'was'} {_DONE[_kind(records[0])]}"


_DONE = {
    "train": "trained",
    "evaluated": "tested with kept weights",
    "explain": "explained with kept weights",
    "imported": "tested with published weights",
    "profile": "profiled",
    "benchmark": "timed by pytest-benchmark",
}


def _on_data(record: Record) -> str:
    data, model = record.config["data"], record.model
    training = f"{data['train_images']:,} training and " if record.kind == "train" else ""
    shape = f"{model.in_channels}×{model.image_size}×{model.image_size} pixels, {model.num_classes} classes"
    part = f", {100 * data['train_fraction']:g} % of the training set" if data["train_fraction"] < 1 else ""
    part += f", limited to {data['limit_train']:,} of it" if data.get("limit_train") else ""
    held = f", {100 * data['val_fraction']:g} % of each class held out" if data["val_fraction"] else ""
    skipped = f", {data['skipped']} files that cannot be read left out" if data.get("skipped") else ""
    crop = f"; learned from files decoded anew: {data['crop']}" if data.get("crop") else ""
    images = f"{training}{data['test_images']:,} test images{part}{held}{skipped}"
    return f"on {data['name']} ({images}; {shape}; SHA-256 fingerprint {data['fingerprint'][:FINGERPRINT]}{crop})."


def _learned_from(record: Record) -> str:
    learned, weights = record.config.get("trained_on") or {}, record.config.get("weights") or {}
    return f"The weights are those of Record {weights.get('record')}, trained on {learned.get('name')}."


def _published(record: Record) -> str:
    weights = record.config.get("weights") or {}
    return f"The weights are {weights.get('origin')} {weights.get('tag')}."


def _by_recipe(record: Record) -> str:
    """All that the recipe says, and how long it lasted."""
    recipe, training = remaking.recipe_of(record), remaking.as_written_now(record.config["training"])
    options = ", ".join(f"{name} {_value(value)}" for name, value in (recipe.get("optimizer_options") or {}).items())
    optimizer = f"{str(recipe.get('optimizer', 'sgd')).removeprefix('timm:').upper()}{f' ({options})' if options else ''}"
    schedule, warmup = recipe.get("schedule"), recipe.get("warmup_fraction")
    parts = [
        optimizer + (f" at a peak learning rate of {recipe['lr']:g}" if "lr" in recipe else ""),
        *_scales(recipe),
        f"weight decay {recipe.get('weight_decay') or 0:g} on weights alone",
        f"gradient norm clipped at {recipe['clip_norm']:g}" if recipe.get("clip_norm") else "",
        f"schedule {schedule}{_milestones(recipe)}" if schedule else "",
        f"linear warm-up over {100 * warmup:.3g} % of the steps" if warmup else "",
        f"label smoothing {recipe['label_smoothing']:g}" if recipe.get("label_smoothing") else "",
        f"dropout scaled by {recipe['dropout_scale']:g}" if recipe.get("dropout_scale", 1) != 1 else "",
        INITIAL.get(str(recipe.get("init")), "") + (f" (deviation {recipe['init_std']:g})" if recipe.get("init_std") else ""),
        "first layer started with the directions of its patches" if recipe.get("whiten_first_layer") else "",
        f"an exponential average of the weights over about {100 * recipe['average']:.3g} % of the steps" if recipe.get("average") else "",
        *_augmentation(training),
    ]
    length = f"{epochs_text(training['epochs'])} in batches of {record.config['batch']}"
    return f"By the recipe {recipe['name']}: {', '.join(part for part in parts if part)}; {length}.{_tuned(record)}"


def _scales(recipe: Mapping[str, Any]) -> list[str]:
    said = {"bias_lr_scale": "biases", "last_layer_lr_scale": "the last layer"}
    scaled = [f"{recipe[name]:g} times that for {what}" for name, what in said.items() if recipe.get(name, 1) != 1]
    return [
        *scaled,
        *([f"that rate being for batches of {recipe['lr_batch']} and in proportion to the batch"] if recipe.get("lr_batch") else []),
    ]


def _milestones(recipe: Mapping[str, Any]) -> str:
    milestones, options = recipe.get("milestones") or (), recipe.get("schedule_options") or {}
    at = f" (times {recipe['gamma']:g} after {', '.join(f'{100 * each:.3g}' for each in milestones)} % of the steps)" if milestones else ""
    return at + (f" ({', '.join(f'{name} {_value(value)}' for name, value in options.items())})" if options else "")


def _augmentation(training: Mapping[str, Any]) -> list[str]:
    """What was done to the images."""
    prepared = {"gcn_zca": "global contrast normalisation and ZCA whitening"}.get(
        str(training.get("preprocessing")), "inputs normalised by channel"
    )
    moved = f"translation by up to {training['translate']} pixels" if training.get("translate") else "no translation"
    mirrored = "mirror images in every other epoch" if training.get("flip_alternates") else "random mirror images"
    tested = ["tested on the mean of the logits of an image and of its mirror image"] if training.get("test_flip") else []
    return [prepared, moved, mirrored if training.get("flip") else "no mirror images", *tested]


def _tuned(record: Record) -> str:
    tuned = record.config.get("tuned")
    if not tuned:
        return ""
    space = " and ".join(tuned.get("space") or ())
    held = (
        f"on {100 * tuned['val_fraction']:g} % of the training images, held out"
        if tuned.get("val_fraction")
        else "on held-out training images"
    )
    return f" Its {space or 'rate and decay'} come from a search of {tuned.get('trials')} trials {held}."


def _interval(record: Record) -> str:
    """How the error and its interval were made."""
    row = record.measurement("test_error_pct")
    if row is None:
        return ""
    how = f"Test error: {row.method} (95 %), over {row.n:,} test images." if row.n else ""
    return f"{TEST} {how}" if record.kind == "train" else how


def _execution(record: Record) -> str:
    execution = record.config["execution"]
    compiled = (
        "compiled where that was faster" if execution.get("compile_auto") else "compiled" if execution["compiled"] else "not compiled"
    )
    micro = f"in parts of {execution['micro_batch']} images, " if execution.get("micro_batch") else ""
    devices = f"on {execution['devices']} devices at once, " if execution.get("devices", 1) > 1 else ""
    devices += "batch norm over all of them, " if execution.get("norm_over_devices") else ""
    deterministic = "deterministic operations" if execution["deterministic"] else "without deterministic operations"
    return f"Computed in {execution['precision']}, {devices}{micro}{compiled}, {deterministic}, {_machine(record)}."


def _machine(record: Record) -> str:
    device, threads, environment = record.environment["device"], record.environment["threads"], record.environment
    on = f"on {device['name']}" + (f" ({str(device['kind']).upper()})" if str(device["kind"]) not in str(device["name"]).lower() else "")
    return f"{on}, {threads} thread{'s' * (threads != 1)}, {environment.get('os', 'unknown system')}"


def _profiled(record: Record) -> str:
    config, shape = record.config, captioning.of_input(record)
    batches = config.get("batches") or sorted({row.at["batch"] for row in record.measurements if row.name == "latency_s"})
    sizes = f"batch{'es' * (len(batches) != 1)} of {', '.join(map(str, batches))}" if batches else "no batch"
    launches = f", {config['launches']} launches of a process each" if config.get("launches") else ""
    modes = ", ".join(config.get("modes") or ["eager"])
    times = "; times by operator class under PyTorch's profiler" if "time_s" in record.samples else ""
    return (
        f"for inputs of {shape}: forward passes at {sizes}, {modes}{launches}; training steps at batch {config['batch']}{times}. {COUNTED}"
    )


def _timing(record: Record) -> str:
    """How latency was timed, in the words of the measurement."""
    row = record.measurement("latency_s")
    beside = len(record.config.get("interleaved_with") or ())
    others = f" {beside + 1} networks were timed in turn." if beside else ""
    return f"Latency: {row.method}; 95 % intervals.{others}" if row is not None else ""


def _tool(record: Record) -> str:
    tool, row = record.config.get("tool") or {}, record.measurement("latency_s")
    return f"{tool.get('name')} {tool.get('version')}: {row.method if row is not None else 'no time'}, {_machine(record)}."


_SENTENCES: dict[str, tuple[Sentence, ...]] = {
    "train": (_on_data, _by_recipe, _execution, _interval),
    "evaluated": (_on_data, _learned_from, _execution, _interval),
    "explain": (_on_data, _learned_from, scored.in_words, _execution, _interval),
    "imported": (_on_data, _published, _execution, _interval),
    "profile": (_profiled, _execution, _timing),
    "benchmark": (_tool,),
}


def _wishes(records: Sequence[Record]) -> list[str]:
    """What networks asked of the recipe, each once, with the reason."""
    said: dict[str, dict[str, None]] = {}
    for record in records:
        training = (record.config.get("training") or {}) if record.kind == "train" else {}
        hints = training.get("hints") or {}
        changed = [f"{WISHES[name]} {_value(hints[name])}" for name in WISHES if hints.get(name) is not None]
        if hints.get("init") is not None:
            changed.append(INITIAL.get(str(hints["init"]), f"initial weights {hints['init']}"))
        if training.get("start_alive"):
            changed.append(
                f"biases of {_value(training['start_alive'])} started at {training['start_alive_bias']:g} "
                f"and its weights times {training['start_alive_weight_scale']:g}"
            )
        if changed:
            why = f" ({hints['reason']})" if hints.get("reason") else ""
            said.setdefault(f"{', '.join(changed)}{why}", {})[record.model.label] = None
    return [f"{', '.join(labels)} departed from the recipe by its own wish: {wish}." for wish, labels in said.items()]


def _layouts(records: Sequence[Record]) -> list[str]:
    """The memory layouts that were found to be the fastest, or asked for."""
    layouts = grouping.by(records, lambda record: str(record.config["execution"].get("memory_format", "unknown")).replace("_", " "))
    if len(layouts) == 1:
        return [f"Memory layout: {layout}." for layout in layouts]
    return [f"Memory layout: {'; '.join(f'{layout} ({_named(members)})' for layout, members in layouts.items())}."]


def _seeds(records: Sequence[Record]) -> list[str]:
    """The interval over seeds, where there are several."""
    runs = grouping.by(records, lambda record: record.group).values()
    several = any(len({each.config.get("seed") for each in members}) > 1 for members in runs)
    return ["Over several seeds: mean with Student's t interval (95 %)."] * (several and records[0].kind == "train")


def _ended(records: Sequence[Record]) -> list[str]:
    """The runs that came to nothing, with the reason."""
    return [f"{record.failure_line}." for record in records if record.failure is not None]


def _made(records: Sequence[Record]) -> list[str]:
    """Versions, and the doubts that the Records note of themselves."""
    said = [(notes.OF_ONE_TIME.get(doubt.code, doubt.message), record) for record in records for doubt in record.warnings]
    doubts = dict.fromkeys(text for text, _ in said)
    lines = [f"{text} ({_named([record for other, record in said if other == text])})" for text in doubts]
    return [*[f"Made by {versions}." for versions in grouping.by(records, _versions)], *[f"Doubts: {'; '.join(lines)}."] * bool(lines)]


def _named(records: Sequence[Record]) -> str:
    """Which networks: by name where they are few."""
    labels = list(dict.fromkeys(record.model.label for record in records))
    return ", ".join(labels) if len(labels) <= MOST_NAMED else f"{len(labels)} networks"


def _versions(record: Record) -> str:
    environment, git = record.environment, record.environment.get("git") or {}
    commit = f" at commit {git['commit'][:COMMIT]}{', with changes' * bool(git.get('changed'))}" if git.get("commit") else ""
    libraries = ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())
    python = f", Python {environment['python']}" if environment.get("python") else ""
    return f"archbench {environment['archbench']}{commit} with {libraries}{python}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, int | float) else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
