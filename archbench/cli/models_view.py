"""What the terminal shows of models: the list, the lineage, one in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table as RichTable
from rich.text import Text
from rich.tree import Tree

from archbench.cli import view
from archbench.cli.view import WIDE, columns_table, print_table
from archbench.publish import formats

if TYPE_CHECKING:
    from archbench.catalogue import Node


def print_models(models: Sequence[dict[str, Any]]) -> None:
    """The list of models as a table; a narrow terminal leaves out what the name nearly says."""
    columns: dict[str, list[str]] = {
        "name": [row["name"] for row in models],
        "title": [row["title"] for row in models],
        "family": [row["family"] for row in models],
        "year": [str(row["year"] or formats.MISSING) for row in models],
        "from": [", ".join(row["parents"]) for row in models],
        "input": [row["input"] for row in models],
        "params": [formats.scaled(row["params"]) for row in models],
        "MACs": [formats.scaled(row["macs"]) for row in models],
        "head": [row["head"] for row in models],
    }
    if view.out.width < WIDE:
        columns = {header: cells for header, cells in columns.items() if header not in ("title", "family", "input")}
    print_table(columns_table(columns, whole="name"))
    for row in models:
        if row["uncounted"]:
            view.out.print(Text(f"· {row['name']}: not counted: {', '.join(row['uncounted'])}", style="dim"))


def print_tree(roots: Sequence[Node]) -> None:
    """The lineage: each model under the first of its parents."""
    for root in roots:
        drawn = Tree(_leaf(root), guide_style="dim")
        _grow(drawn, root)
        view.out.print(drawn)


def _grow(branch: Tree, node: Node) -> None:
    for child in node.children:
        _grow(branch.add(_leaf(child)), child)


def _leaf(node: Node) -> Text:
    also = f" (also from {', '.join(node.others)})" if node.others else ""
    return Text.assemble((node.name, "bold"), f"  {node.year or ''} {node.title}", (also, "dim"))


def print_model(described: dict[str, Any]) -> None:
    """What is known of a model, line by line, then its layers, then the BibTeX entry."""
    paper = described["paper"]
    where = {"arXiv": paper["arxiv"], "doi": paper["doi"]} if paper else {}
    facts = {
        "paper": f"{paper['title']} ({', '.join(f'{key}:{value}' for key, value in where.items() if value)})" if paper else "",
        "from": ", ".join(described["parents"]),
        "takes": described["takes"],
        "input": f"{described['size']}, {described['input']['num_classes']} classes",
        "params, MACs": f"{described['params']:,} and {described['macs']:,}",
        "width": f"{described['width']:.4g}" if described["width"] else "",
        "MACs in": ", ".join(f"{kind} {100 * part / described['macs']:.0f} %" for kind, part in described["macs_by_class"].items()),
        "head": described["head_kind"],
        "knobs": " · ".join(f"{key}={_values(values)}" for key, values in described["knobs"].items()),
        "not counted": ", ".join(row["operator"] for row in described["uncounted"]),
    }
    year = f", {described['year']}" if described["year"] else ""
    view.out.print(Text(f"{described['name']}: {described['title']}{year}", style="bold"))
    for fact, text in facts.items():
        _fact(fact, text)
    for each in described["published"]:
        _fact("published", f"{each['params']:,} and {each['macs']:,}{each['form']} ({each['source']})")
    for each in described["claims"]:
        _fact("claim", f"{each['error_pct']:g} % on {each['dataset']}, {each['with']} ({each['where']}); {each['trained']}")
    for deviation in described["deviations"]:
        _fact("departs", deviation)
    print_table(columns_table(_layer_columns(described["layers"])))
    if paper:
        view.out.print(Text(f"\n{paper['bibtex']}"))


def _values(values: Sequence[Any] | Mapping[str, float]) -> str:
    """`gap, fc`; `0.01 to 16` of a range."""
    return f"{values['low']:g} to {values['high']:g}" if isinstance(values, Mapping) else ", ".join(map(str, values))


def _fact(name: str, text: str) -> None:
    if text:
        grid = RichTable.grid(padding=(0, 1))
        grid.add_column(width=12)
        grid.add_column()
        grid.add_row(Text(name, style="dim"), Text(text))
        view.out.print(grid)


def _layer_columns(layers: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {
        "layer": [layer["name"] or "(network)" for layer in layers],
        "class": [layer["operator_class"] for layer in layers],
        "output": ["×".join(map(str, layer["shape"][1:])) for layer in layers],
        "params": [f"{layer['params']:,}" for layer in layers],
        "MACs": [f"{layer['macs']:,}" for layer in layers],
    }
