"""Objects that somebody marked, from files to the square that a network sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import save_image
from PIL import Image

from archbench.data.markings import marks
from archbench.errors import ArchbenchError
from archbench.events import Event, Notice, ignore
from archbench.explaining.marked import marked, upright_size
from archbench.explaining.objects import Objects

NAMES, FILES = ("cat", "dog"), ("cat/a.png",)
HEADER = "file,left,top,right,bottom,class"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image of 40 x 20 pixels, of which the middle 20 x 20 are seen."""
    save_image(tmp_path / "pets" / "cat" / "a.png", size=(20, 40))
    return tmp_path / "pets"


def csv_of(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder.parent / "boxes.csv"
    path.write_text("\n".join((header, *lines)))
    return path


def coco_of(folder: Path, **annotation: Any) -> Path:
    path = folder.parent / "coco.json"
    whole = {"images": [{"id": 7, "file_name": "cat/a.png"}], "categories": [{"id": 3, "name": "cat"}]}
    path.write_text(json.dumps({**whole, "annotations": [{"id": 5, "image_id": 7, "category_id": 3, "bbox": [12, 4, 8, 6], **annotation}]}))
    return path


def mask_of(folder: Path, pixels: np.ndarray) -> Path:
    path = folder.parent / "masks" / "cat" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path)
    return folder.parent / "masks"


def seen(source: Path, folder: Path, size: int = 10, number: int = 0) -> Objects:
    return marked(marks(source, FILES).of_all(FILES), folder, FILES, np.array([number]), NAMES, size, ignore)


def block(rows: slice, columns: slice, width: int = 40, height: int = 20) -> np.ndarray:
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[rows, columns] = 1
    return pixels


def test_a_box_is_scaled_and_cropped_with_its_image(folder: Path) -> None:
    """40 x 20 pixels on 10 x 10: half the size, and 10 of 40 columns are cut off on either side, 5 of 20 that are left."""
    objects = seen(csv_of(folder, "cat/a.png,12,4,20,10,cat", "other.png,0,0,1,1,bird"), folder)
    assert objects.boxes.tolist() == [[1, 2, 5, 5]]
    assert objects.masks[0, 2:5, 1:5].all()
    assert objects.masks.sum() == 12
    assert not objects.others.any()
    partly = seen(csv_of(folder, "cat/a.png,0,4,20,10,cat"), folder)
    assert partly.boxes.tolist() == [[0, 2, 5, 5]]


def test_the_three_kinds_of_files_say_the_same(folder: Path) -> None:
    """Columns 12 to 19 and rows 4 to 9. COCO counts down the columns: 12 whole ones and 4 pixels, 6 of the object, 14 not, and so on."""
    counts = [12 * 20 + 4, *[6, 14] * 7, 6, 20 * 20 + 10]
    sources = [
        csv_of(folder, "cat/a.png,12,4,20,10", header=HEADER.removesuffix(",class")),
        coco_of(folder),
        coco_of(folder, segmentation={"counts": counts, "size": [20, 40]}),
        coco_of(folder, segmentation=[[12, 4, 19, 4, 19, 9, 12, 9]]),
        mask_of(folder, block(slice(4, 10), slice(12, 20))),
    ]
    for source in sources:
        objects = seen(source, folder)
        assert objects.boxes.tolist() == [[1, 2, 5, 5]]
        assert objects.masks[0, 2:5, 1:5].all()
        assert objects.masks.sum() == 12


def test_what_is_of_another_class_is_another_object_and_several_of_one_are_one(folder: Path) -> None:
    source = csv_of(folder, "cat/a.png,10,0,14,4,cat", "cat/a.png,20,10,26,20,cat", "cat/a.png,24,0,30,6,dog")
    cat, dog = seen(source, folder), seen(source, folder, number=1)
    assert cat.boxes.tolist() == [[0, 0, 8, 10]]
    assert cat.masks.sum() == 2 * 2 + 3 * 5
    assert cat.others.sum() == 3 * 3
    assert (dog.masks == cat.others).all()
    assert (dog.others == cat.masks).all()


def test_an_object_that_is_cut_off_is_told_of(folder: Path) -> None:
    events: list[Event] = []
    source = csv_of(folder, "cat/a.png,0,0,9,9,cat")
    objects = marked(marks(source, FILES), folder, FILES, np.array([0]), NAMES, 10, events.append)
    assert not objects.there.any()
    (notice,) = events
    assert isinstance(notice, Notice)
    assert notice.message.startswith("1 of 1 images show no object of their map's class")


def test_a_turned_photograph_is_measured_upright(tmp_path: Path) -> None:
    """Orientation 6: the camera was turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert upright_size(tmp_path / "a.jpg") == (20, 40)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["cat/a.png,12,4,60,10,cat"], r"boxes.csv line 2: the box 12, 4, 60, 10 is not inside cat/a.png, which is 40x20"),
        (["cat/a.png,-3,4,20,10,cat"], "the box -3, 4, 20, 10 is not inside cat/a.png"),
        (["cat/a.png,20,4,12,10,cat"], "line 2: the box 20, 4, 12, 10 has no area; it is left, top, right, bottom"),
        (["cat/a.png,nan,4,12,10,cat"], "has no area"),
        (["cat/a.png,1,2,three,4,cat"], "line 2: a box is four numbers, left, top, right, bottom"),
        (["cat/a.png,1,2"], "line 2: a box is four numbers"),
        (["cat/a.png,1,2,3,4,cats"], "line 2: unknown class of the network 'cats'; did you mean 'cat'"),
        (["cat/b.png,1,2,3,4,cat"], "boxes.csv has nothing of 1 of 1 images; the first is cat/a.png"),
        (["cat/a.png,1,5,2,5,9,9,cat"], "boxes.csv line 2 has more values than the first line has columns"),
        (['cat/a.png,"1,2,3,4,cat'], "boxes.csv is no CSV from line 2 on: unexpected end of data"),
    ],
)
def test_a_mistake_in_a_csv_is_one_line(lines: list[str], message: str, folder: Path) -> None:
    with pytest.raises(ArchbenchError, match=message) as raised:
        seen(csv_of(folder, *lines), folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [12, 4, 80, 6]}, "coco.json annotation 5: the box 12, 4, 92, 10 is not inside"),
        ({"bbox": [12, 4, 80, 6], "segmentation": {"counts": [800]}}, "coco.json annotation 5: the box 12, 4, 92, 10 is not inside"),
        ({"bbox": [12, 4, 80]}, "annotation 5: a box is four numbers"),
        ({"category_id": 9}, "is no COCO file of objects: KeyError 9"),
        ({"segmentation": {"counts": "abc"}}, "annotation 5: a mask in COCO's compressed form is not read"),
        ({"segmentation": {"counts": [5, 5]}}, "annotation 5: a mask of 10 pixels is not of an image of 40x20"),
        ({"segmentation": [[1, 2]]}, "annotation 5: a polygon has"),
        ({"segmentation": [["a", 2, 3, 4, 5, 6]]}, "is no COCO file of objects: ValueError"),
        ({"segmentation": {"counts": [5, -5]}}, "annotation 5: a mask's counts are how many pixels follow each other, none below 0"),
        (
            {"segmentation": {"counts": [800], "size": [40, 20]}},
            r"a mask of size \[40, 20\], height and width, is not of",
        ),
        ({"segmentation": {"counts": [799.5, 0.5]}}, "annotation 5: a mask's counts are how many pixels"),
        ({"segmentation": {"counts": [float("inf")]}}, "is no COCO file of objects: OverflowError"),
        ({"segmentation": [[float("nan"), 4, 19, 4, 19, 9]]}, "annotation 5: a polygon has a number that is not finite"),
        ({"bbox": [10**400, 4, 8, 6]}, "annotation 5: a box is four numbers"),
        ({"segmentation": {"counts": [None]}}, "is no COCO file of objects"),
        ({"segmentation": 5}, "is no COCO file of objects"),
    ],
)
def test_a_mistake_in_a_coco_file_is_one_line(changes: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(ArchbenchError, match=message):
        seen(coco_of(folder, **changes), folder)


def test_a_mask_of_nothing_marks_nothing_and_how_far_a_pixel_is_seen_through_is_no_mark(folder: Path) -> None:
    masks = mask_of(folder, block(slice(0), slice(0)))
    assert not seen(masks, folder).there.any()
    seen_through = np.zeros((20, 40, 4), dtype=np.uint8)
    seen_through[..., 3] = 255
    seen_through[4:10, 12:20, 0] = 1
    Image.fromarray(seen_through).save(masks / "cat" / "a.png")
    assert seen(masks, folder).boxes.tolist() == [[1, 2, 5, 5]]


def test_a_mask_that_is_missing_or_of_another_size_is_refused(folder: Path) -> None:
    (folder.parent / "none").mkdir()
    with pytest.raises(ArchbenchError, match=r"none has no mask for cat/a\.png; it is an image called cat/a.png there"):
        seen(folder.parent / "none", folder)
    masks = mask_of(folder, block(slice(4), slice(4), width=30))
    with pytest.raises(ArchbenchError, match=r"the mask .*a.png is 30x20, and cat/a.png is 40x20"):
        seen(masks, folder)
    Image.fromarray(block(slice(0), slice(0), width=30)).save(masks / "cat" / "a.png")
    with pytest.raises(ArchbenchError, match=r"the mask .*a.png is 30x20, and cat/a.png is 40x20"):
        seen(masks, folder)
    (masks / "cat" / "a.png").write_text("no image")
    with pytest.raises(ArchbenchError, match=r"the mask .* cannot be read: cannot identify"):
        seen(masks, folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("boxes.csv", "file,left,top,right", "has no column 'bottom'; its first line is file,left,top,right,bottom, and perhaps class"),
        ("boxes.csv", "", "has no column 'file'"),
        ("boxes.csv", "file,left,top,right,bottom,left\n", "has a column twice"),
        ("boxes.json", "[" * 100_000, "is no COCO file of objects: RecursionError"),
        ("boxes.json", '{"images": [{"id": 1, "file_name": ["a"]}], "categories": [], "annotations": []}', None),
        ("boxes.json", "{", "boxes.json is no JSON"),
        ("boxes.json", "[]", "is no COCO file of objects"),
        ("boxes.xml", "", "boxes are a .csv, a COCO file that ends in .json, or a folder of masks"),
        ("boxes.csv", None, "there is no file"),
    ],
)
def test_a_file_of_another_kind_is_refused(name: str, text: str | None, message: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    if message is None:
        assert not marks(tmp_path / name, ("a.png",)).files
        return
    with pytest.raises(ArchbenchError, match=message):
        marks(tmp_path / name, ("a.png",))
