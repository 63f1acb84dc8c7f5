"""Maps that can be checked by arithmetic: their means are logits, one method is another times a factor, what is asked is what is shown."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Answer, enlivened, save_image
from torch import nn

import archbench
from archbench.errors import ArchbenchError
from archbench.events import Event, Notice
from archbench.explaining import places
from archbench.explaining.methods import METHODS, Target
from archbench.explaining.pictures import in_turn, of_folder
from archbench.models import Input, parse
from archbench.publish.explained import Column, Explained
from archbench.publish.sheet import Layout, figure
from archbench.records.schema import Doubt, Record, seal
from archbench.records.store import Store

EXACT = 1e-5


def enlivened_model(name: str, channels: int = 3, size: int = 32) -> tuple[Target, torch.Tensor]:
    """A network of the zoo with weights that tell images apart, and four images."""
    images = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1))
    network = enlivened(parse([name])[0].build(Input(10, channels, size)), images)
    return Target(network, name, places.target(network, images[:1], None, name)), images


def of_third(logits: torch.Tensor) -> torch.Tensor:
    return torch.full((len(logits),), 3)


def predicted(logits: torch.Tensor) -> torch.Tensor:
    return logits.argmax(1)


def test_the_mean_of_a_class_map_is_the_logit() -> None:
    target, images = enlivened_model("nin+width=0.1")
    for choose in (predicted, of_third):
        maps, classes, logits = METHODS["class_map"](target, images, choose)
        assert maps.shape == (4, 8, 8)
        torch.testing.assert_close(maps.mean((1, 2)), logits.gather(1, classes[:, None])[:, 0], rtol=EXACT, atol=EXACT)
        torch.testing.assert_close(logits, target.network(images), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", ["resnet_basic+width=0.25", "plain_cnn+head=gap+width=0.1"])
def test_the_mean_of_a_cam_plus_the_bias_is_the_logit(name: str) -> None:
    target, images = enlivened_model(name)
    maps, classes, logits = METHODS["cam"](target, images, predicted)
    bias = next(module.bias.detach() for module in reversed(list(target.network.modules())) if isinstance(module, nn.Linear))
    assert bias[classes].abs().min() > 1e-4  # else a bias left out would not be seen
    torch.testing.assert_close(maps.mean((1, 2)) + bias[classes], logits.gather(1, classes[:, None])[:, 0], rtol=EXACT, atol=EXACT)


def test_a_class_map_is_gradcam_times_the_number_of_places() -> None:
    """The gradient of a mean over 8 x 8 places is 1/64 at each for the map of the class and 0 for others, and the maps end in a ReLU."""
    target, images = enlivened_model("nin+width=0.1")
    own, library = (METHODS[name](target, images, predicted).maps for name in ("class_map", "gradcam"))
    torch.testing.assert_close(own, 64 * library, rtol=EXACT, atol=EXACT)
    assert own.flatten(1).amax(1).min() > 0


def test_a_cam_is_gradcam_too_where_it_speaks_for_the_class() -> None:
    """For an average and one linear layer: the gradient at each of 64 places is the class's weight by 64 (Selvaraju et al.)."""
    target, images = enlivened_model("resnet_basic+width=0.25")
    own, library = (METHODS[name](target, images, of_third).maps for name in ("cam", "gradcam"))
    torch.testing.assert_close(own.clamp(min=0), 64 * library, rtol=1e-4, atol=EXACT)
    assert (own < 0).any()


class OneCorner(nn.Module):
    """Two classes: the sums of the upper left and of the lower right quarter of an image, read from its maps as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 2, 1, bias=False)
        nn.init.ones_(self.body.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.body(images)
        half = maps.shape[-1] // 2
        return torch.stack([maps[:, 0, :half, :half].sum((1, 2)), maps[:, 1, half:, half:].sum((1, 2))], 1)


@pytest.mark.parametrize("method", ["layercam", "gradcam++", "occlusion", "gradcam", "scorecam"])
def test_each_method_has_a_map_of_its_own_size_and_says_no_where_it_must(method: str) -> None:
    target, images = enlivened_model("lenet")
    maps, classes, logits = METHODS[method](target, images, predicted)
    assert maps.shape == ((4, 8, 8) if method == "occlusion" else (4, 5, 5))
    assert maps.isfinite().all()
    assert (classes == logits.argmax(1)).all()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in target.network.parameters())


@pytest.mark.parametrize("method", ["layercam", "occlusion"])
def test_the_map_lies_where_the_evidence_is(method: str) -> None:
    """With ones all over, the first class reads the upper left quarter alone, 8 x 8 of 16 x 16 places.

    A square of 4 x 4 about the first of 8 x 8 places reaches from -1 to 3 and covers 9 of them; about the second, from 1 to 5, and so on.
    """
    target, images = Target(OneCorner(), "corner", "body"), torch.ones(2, 1, 16, 16)
    maps = METHODS[method](target, images, lambda logits: torch.zeros(2, dtype=torch.int64)).maps
    half = maps.shape[-1] // 2
    assert (maps[:, :half, :half] > 0).all()
    assert not maps[:, half + 1 :].any()
    assert not maps[:, :, half + 1 :].any()
    if method == "occlusion":
        assert maps[0, 0, :3].tolist() == [9, 12, 12]


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("class_map", "resnet_basic+width=0.25", "class_map: the logits of .* are not the means of one map a class at features; cam or"),
        ("class_map", "nin+head=fc+width=0.1", "class_map: the logits"),
        ("cam", "lenet", "cam: the logits of lenet are not one linear layer on the means of the maps at features; class_map or gradcam"),
        ("cam", "convnext", "cam: the logits of convnext"),
    ],
)
def test_a_method_that_a_network_cannot_bear_is_refused(method: str, name: str, message: str) -> None:
    target, images = enlivened_model(name)
    with pytest.raises(ArchbenchError, match=message):
        METHODS[method](target, images, predicted)


def test_a_layer_behind_which_nothing_depends_is_refused() -> None:
    """A layer beside the path to the logits."""

    class Beside(OneCorner):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.body(images)
            return images.flatten(1)[:, :2] * self.body.weight.mean()

    images = torch.arange(128.0).view(2, 1, 8, 8)
    for some in (images, images[:1]):
        with pytest.raises(ArchbenchError, match="gradcam: no gradient of the logits of beside reaches body; --layer names another"):
            METHODS["gradcam"](Target(Beside(), "beside", "body"), some, predicted)


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam", "scorecam"])
def test_maps_of_a_network_whose_units_died_are_blank(method: str) -> None:
    """A bias of -1 before the ReLU, and images that never reach 1: each logit is the last layer's bias."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 2)).eval()
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.fill_(-1)
    for count in (3, 1):
        found = METHODS[method](Target(network, "dead", "0"), torch.rand(count, 1, 8, 8), predicted)
        assert found.maps.shape == (count, 8, 8)
        assert not found.maps.any()
        assert torch.equal(found.logits, network[3].bias.expand(count, 2))


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("lenet", "features", (1, 16, 5, 5)),  # 32 less 4, halved, less 4, halved
        ("plain_cnn", "features", (1, 192, 8, 8)),
        ("nin", "features", (1, 10, 8, 8)),
        ("vgg", "features.27", (1, 512, 2, 2)),  # before the fifth pool, which leaves one place
        ("mixer", "features", (1, 256, 8, 8)),  # 64 tokens
        ("convnext", "features", (1, 320, 2, 2)),
        ("mobilenet", "features", (1, 1024, 2, 2)),
    ],
)
def test_the_layer_is_the_last_with_more_than_one_place(name: str, layer: str, shape: tuple[int, ...]) -> None:
    network, image = parse([name])[0].weightless(Input(10, 3, 32))
    assert places.target(network, image, None, name) == layer
    assert places.layers(network, image)[layer] == shape


def test_maps_with_channels_last_and_tokens_are_laid_out_as_maps() -> None:
    values = torch.arange(2.0 * 9 * 4).view(2, 9, 4)
    for tokens in (values, torch.cat([torch.zeros(2, 1, 4), values], 1)):
        maps = places.as_maps(tokens)
        assert maps is not None
        assert maps.shape == (2, 4, 3, 3)
        assert maps[1, 2, 1, 0] == values[1, 3, 2]
    last = places.as_maps(values.view(2, 3, 3, 4))
    assert last is not None
    assert (last == maps).all()
    for other in (torch.zeros(2, 8), torch.zeros(2, 5, 1, 1), torch.zeros(2, 7, 4), [values]):
        assert places.as_maps(other) is None


def test_images_are_drawn_from_each_class_in_turn() -> None:
    assert in_turn(np.array([1, 1, 0, 1, 0, 2])).tolist() == [2, 0, 5, 4, 1, 3]


def test_a_folder_gives_truths_by_its_folders_and_says_what_was_scaled(tmp_path: Path) -> None:
    save_image(tmp_path / "cat" / "a.png", size=(8, 8))
    save_image(tmp_path / "b.png", size=(9, 30))
    events: list[Event] = []
    found = of_folder(tmp_path, 5, Input(2, 1, 8), ("cat", "dog"), events.append)
    assert found.images.shape == (2, 1, 8, 8)
    assert (found.names, found.labels.tolist()) == (("b.png", "cat/a.png"), [-1, 0])
    (notice,) = events
    assert isinstance(notice, Notice)
    assert notice.message.startswith("1 of 2 images are not 8x8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A store with a trained lenet, and its Record."""
    folder = tmp_path_factory.mktemp("store")
    (record,) = archbench.train(
        models="lenet", results=folder, limit_train=64, batch_size=32, epochs=1, deterministic=True, precision="fp32"
    )
    return folder, record


def test_the_command_writes_sheets_and_arrays(trained: tuple[Path, Record], in_process: Callable[..., Answer], tmp_path: Path) -> None:
    """As many images of each digit as can be, with the maps of the true class, and the same from Python."""
    folder, record = trained
    outs = [word for form in ("png", "svg", "npz") for word in ("--out", f"maps.{form}")]
    answer = in_process("explain", record.id[:6], "--dataset", "digits", "--n", "12", "--class", "truth", "--results", str(folder), *outs)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "written: maps.png, maps.svg, maps.npz (12 images, 1 Record, gradcam)" in answer.stderr
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")
    assert "lenet" in (tmp_path / "maps.svg").read_text()
    explained = archbench.explain(record.id, dataset="digits", n=12, of="truth", results=folder)
    with np.load(tmp_path / "maps.npz") as arrays:
        assert arrays["labels"].tolist() == [*range(10), 0, 1]
        assert (arrays[f"{record.id}_shown"] == arrays["labels"]).all()
        assert (arrays[f"{record.id}_maps"] == explained.columns[0].maps).all()
        assert arrays["images"].shape == (12, 1, 32, 32)


def test_maps_of_a_network_at_chance_come_with_a_word(trained: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, record = trained
    doubted = record.model_copy(update={"warnings": (Doubt(code="at_chance", message="not below 90 %"),)})
    monkeypatch.setattr("archbench.explaining.asked.training_of", lambda beginning, root: doubted)
    events: list[Event] = []
    archbench.explain(record.id, dataset="digits", n=1, results=folder, emit=events.append)
    said = [event.message for event in events if isinstance(event, Notice)]
    assert f"lenet ({record.id}): not below 90 %, so its maps tell little" in said


def test_the_logits_are_those_of_an_evaluation(trained: tuple[Path, Record]) -> None:
    """In float16 the predictions beside the Record keep 11 bits."""
    folder, record = trained
    explained = archbench.explain(record.id, dataset="digits", n=360, method="gradcam", results=folder)
    order = [int(name.removeprefix("test ")) for name in explained.names]
    stored = next(file for file in record.files if file.path.endswith("predictions.npz"))
    with np.load(folder / stored.path) as arrays:
        assert np.allclose(explained.columns[0].logits, arrays["logits"][order], rtol=2**-10, atol=1e-3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "gradcamm"}, "unknown method 'gradcamm'; did you mean 'gradcam'"),
        ({"of": "eleven"}, "unknown class 'eleven'"),
        ({"layer": "features.9"}, r"unknown layer of lenet \(.*\) 'features.9'; did you mean 'features"),
        ({"layer": "head.1"}, r"the layer head.1 of lenet .* gives no maps of more than one place; those that do: .*features"),
        ({"dataset": "cifar10"}, r"cifar10 has images of 3 channel\(s\)"),
        ({"n": 361}, "--n 361: digits has 360 test images"),
        ({"dataset": None}, "--images DIR or --dataset NAME says which images are explained, one of the two"),
        ({"images": "nowhere"}, "--images DIR or --dataset NAME"),
        ({"dataset": None, "images": "nowhere"}, "--images: there is no folder nowhere"),
        ({"boxes": "boxes.csv"}, "--boxes tells the objects in the files of --images DIR"),
        ({"method": "class_map"}, "class_map: the logits of lenet"),
    ],
)
def test_a_mistake_is_one_line(asked: dict[str, object], message: str, trained: tuple[Path, Record]) -> None:
    folder, record = trained
    with pytest.raises(ArchbenchError, match=message):
        archbench.explain(record.id, **{"dataset": "digits", "results": folder, **asked})


def test_a_missing_library_is_named_with_what_does_without(trained: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, record = trained
    monkeypatch.setattr("archbench.explaining.weighing.importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ArchbenchError, match=r"--method layercam needs grad-cam: pip install 'archbench\[explain\]'; class_map, cam and occ"
    ):
        archbench.explain(record.id, dataset="digits", method="layercam", results=folder)
    assert archbench.explain(record.id, dataset="digits", n=1, method="occlusion", results=folder).columns[0].maps.shape == (1, 8, 8)


def test_records_that_explain_nothing_or_do_not_go_together_are_refused(trained: tuple[Path, Record], tmp_path: Path) -> None:
    folder, record = trained
    shutil.copytree(folder, tmp_path / "copy")
    store = Store(tmp_path / "copy")

    def other(**changes: object) -> str:
        changed = seal(**{**record.model_dump(exclude={"id"}), **changes})
        store.save(changed)
        return changed.id

    def explained(*ids: str) -> Explained:
        return archbench.explain(*ids, dataset="digits", results=store.root)

    with pytest.raises(ArchbenchError, match="ended as diverged, so its weights explain nothing"):
        explained(other(status="diverged"))
    larger = other(model={**record.model.model_dump(), "image_size": 64})
    with pytest.raises(ArchbenchError, match=r"see the same images: .* takes 1x32x32 of 10 classes and .* takes 1x64x64 of 10 classes"):
        explained(record.id, larger)
    with pytest.raises(ArchbenchError, match="know the same classes"):
        explained(record.id, other(config={**record.config, "classes": list("abcdefghij")}))
    (store.root / next(file.path for file in record.files if file.path.endswith("weights.pt"))).unlink()
    with pytest.raises(ArchbenchError, match=f"the final weights of {record.id} are not beside the Record"):
        explained(record.id)


def test_a_file_of_another_kind_is_refused_before_any_work(in_process: Callable[..., Answer]) -> None:
    answer = in_process("explain", "abcd", "--dataset", "digits", "--out", "maps.gif")
    assert (answer.returncode, answer.stderr) == (2, "archbench: --out maps.gif: the file's name ends in .png, .svg, .npz\n")


def drawn(explained: Explained) -> list[str]:
    return [text.get_text() for text in figure(explained).texts]


def sheet_of(maps: Iterable[float], **changes: object) -> Explained:
    """Two images with flat maps of one network, which takes both for the second class."""
    values = np.stack([np.full((2, 2), value, dtype=np.float32) for value in maps])
    column = Column(
        "net",
        "abcdef123456",
        "body",
        values,
        np.array([[-1.25, 2.0], [0.5, 3.0]], dtype=np.float32),
        np.array([1, 1]),
        np.array([1.0, 3.0]),
    )
    images = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    whole = Explained(images, np.array([0, -1]), ("a", "x/b.png"), ("cat", "dog"), "pets", "cam", "predicted", (column,))
    return dataclasses.replace(whole, **changes)


def test_a_sheet_says_truth_prediction_and_logit() -> None:
    """Below an image its class, or its file where nobody knows the class; below the maps what the network said."""
    explained = sheet_of([1, -1])
    words = drawn(explained)
    assert [word for word in words if word in ("cat", "b.png", "dog 2.0", "dog 3.0")] == ["cat", "dog 2.0", "b.png", "dog 3.0"]
    assert "abcdef · 2×2 at body" in words
    assert "red speaks for the class, blue against it" in " ".join(words)
    red = [text.get_text() for text in figure(explained).texts if text.get_color() == "#b3261e"]
    assert red == ["dog 2.0"]
    assert "yellow is the most" in " ".join(drawn(sheet_of([1, 0])))
    other = sheet_of([1, 1], of="cat", columns=(dataclasses.replace(explained.columns[0], shown=np.array([0, 0])),))
    assert {"cat −1.2", "cat 0.5", "dog 2.0"} <= set(drawn(other))


def test_a_sheet_has_about_the_shape_of_a_slide() -> None:
    for images, networks in ((16, 1), (16, 2), (16, 4), (1, 1), (40, 3)):
        layout = Layout.of(images, networks, "word " * 40)
        assert layout.blocks * layout.rows >= images
        last = layout.left(layout.blocks - 1, layout.cells - 1)
        assert last + 0.95 <= layout.width_inch + 1e-9
        assert layout.bottom(layout.rows - 1) > 0
    assert (Layout.of(16, 4, "foot").blocks, Layout.of(16, 1, "foot").blocks) == (2, 4)


def test_boxes_beside_images_say_what_the_maps_are_worth(
    trained: tuple[Path, Record], in_process: Callable[..., Answer], tmp_path: Path
) -> None:
    """A box around the whole image holds whatever a map points at, and all of its evidence."""
    folder, record = trained
    save_image(tmp_path / "images" / "a.png", size=(32, 32), mode="L")
    (tmp_path / "boxes.csv").write_text("file,left,top,right,bottom\na.png,0,0,32,32\n")
    asked = ("explain", record.id, "--images", "images", "--boxes", "boxes.csv", "--results", str(folder), "--out", "maps.npz", "--json")
    answer = in_process(*asked, "--method", "occlusion")
    (row,) = json.loads(answer.stdout)
    assert row["box"] == [0, 0, 32, 32]
    assert row["silent"] is not row["pointing"]
    assert (row["energy"], row["ground"]) == (float(row["pointing"]), 0)
    with np.load(tmp_path / "maps.npz") as arrays:
        assert arrays[f"{record.id}_box"].tolist() == [[0, 0, 32, 32]]
        assert arrays[f"{record.id}_centres"].tolist() == [2, 6, 10, 14, 18, 22, 26, 30]
    explained = archbench.explain(record.id, images=tmp_path / "images", boxes=tmp_path / "boxes.csv", results=folder, method="occlusion")
    assert len(figure(explained).axes[-1].patches) == 1
    (tmp_path / "boxes.csv").write_text("file,left,top,right,bottom\na.png,0,0,33,32\n")
    answer = in_process(*asked)
    assert answer.returncode == 2
    assert "boxes.csv line 2: the box 0, 0, 33, 32 is not inside a.png, which is 32x32" in answer.stderr
