from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from archbench import catalogue
from archbench.errors import ArchbenchError

PAGE = Path(zoo.__file__).parent / "README.md"


def flat(nodes: tuple[catalogue.Node, ...]) -> list[str]:
    return [name for node in nodes for name in (node.name, *flat(node.children))]


def test_rows_go_by_year_and_hold_what_a_script_needs() -> None:
    rows = catalogue.rows(["mobilenet", "nin"])
    assert [(row["name"], row["params"], row["macs"]) for row in rows] == [
        ("nin", 966_986, 222_486_528),
        ("mobilenet", 3_217_226, 46_354_432),
    ]
    assert rows[0]["knobs"]["width"] == {"low": 0.01, "high": 16}


def test_the_tree_shows_every_model_once_and_each_under_its_parent() -> None:
    roots = catalogue.tree(["lineage"])
    assert sorted(flat(roots)) == sorted(name for name in zoo.names() if not name.endswith("_imagenet"))
    lenet = next(node for node in roots if node.name == "lenet")
    alexnet = next(node for node in lenet.children if node.name == "alexnet")
    nin = next(node for node in alexnet.children if node.name == "nin")
    assert nin.others == ("hog_linear", "maxout")
    assert {"inception", "mixer", "squeezenet"} <= {node.name for node in nin.children}


def test_a_model_in_full_has_a_line_for_each_of_nins_layers() -> None:
    """Layers and counts of the author's configuration."""
    described = catalogue.describe("nin")
    layers = [(layer["operator_class"], layer["params"], layer["macs"]) for layer in described["layers"] if layer["macs"]]
    assert layers == [
        ("dense_conv", 14_592, 14_745_600),
        ("pointwise", 30_880, 31_457_280),
        ("pointwise", 15_456, 15_728_640),
        ("dense_conv", 460_992, 117_964_800),
        ("pointwise", 37_056, 9_437_184),
        ("pointwise", 37_056, 9_437_184),
        ("dense_conv", 331_968, 21_233_664),
        ("pointwise", 37_056, 2_359_296),
        ("pointwise", 1_930, 122_880),
    ]


def test_layers_add_up_to_the_whole() -> None:
    for name in ("densenet", "senet", "convnext", "mixer"):
        described = catalogue.describe(name)
        assert sum(layer["macs"] for layer in described["layers"]) == described["macs"]
        assert sum(layer["params"] for layer in described["layers"]) == described["params"]


def test_one_model_at_a_time() -> None:
    with pytest.raises(ArchbenchError, match="stands for 6 models; name one"):
        catalogue.describe("nin*")


def test_the_zoos_page_is_what_the_specs_say() -> None:
    """`archbench list --out zoo/README.md` makes it again."""
    assert PAGE.read_text() == catalogue.markdown()
