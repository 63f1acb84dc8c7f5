"""The figure of class maps: a panel for each network, over the link of class and ground."""

from __future__ import annotations

import pytest
from test_maps import explained

from archbench.publish.figures import gallery
from archbench.publish.figures.look import STYLES, Look
from archbench.records.schema import Record

LONG = ("plain_cnn+head=fc+width=0.25", "plain_cnn+head=gap+width=0.25")


def of_two_links(model: str, seed: int = 0, **figures: float) -> list[Record]:
    """Explained at a link of 0 and of 95 %, with the link kept and broken, where the error is 30 %."""
    kept = [explained(model, link, seed=seed, **figures) for link in (0, 95)]
    return kept + [explained(model, link, "broken", seed, error=30.0) for link in (0, 95)]


def test_a_row_has_the_pointing_and_the_ground_with_the_link_kept_and_the_error_with_it_broken() -> None:
    """Seeds that point at 70 and at 80 %: 75 %. The Gaussian points at 50 %; 60 % lie on the ground."""
    (picture,) = gallery.pictures("maps", [*of_two_links("nin", 0, pointing_pct=70.0), *of_two_links("nin", 1, pointing_pct=80.0)])
    assert [(row["model"], row["link_pct"], row["seeds"]) for row in picture.rows] == [("nin", 0, 2), ("nin", 95, 2)]
    shown = [tuple(row[name]["value"] for name in ("points", "ground", "error", "middle")) for row in picture.rows]
    assert shown == [(75, 60, 30, 50)] * 2
    assert picture.stem == "maps-shapes-gradcam-modern-8ep"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("columns", [1, 2])
def test_each_network_has_a_panel_whose_title_tells_it_from_the_others(style: str, columns: int) -> None:
    (picture,) = gallery.pictures("maps", [record for model in ("nin", *LONG) for record in of_two_links(model)])
    figures = [figure for _, figure in gallery.drawn(picture, Look.of(style, columns))]
    titles = [axes.get_title(loc="left") for figure in figures for axes in figure.axes]
    assert titles[0] == "nin"
    assert len(set(titles)) == 3
    for figure in figures:
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
        assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_what_was_not_tested_with_a_broken_link_has_no_error() -> None:
    (picture,) = gallery.pictures("maps", [explained("nin", 0)])
    assert picture.rows[0]["error"] == {"value": None, "low": None, "high": None}
    assert len(gallery.drawn(picture, Look.of("paper", 1))) == 1
