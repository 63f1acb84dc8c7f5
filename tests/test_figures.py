"""Figures: what stands in a picture, by arithmetic; that labels do not overlap, by their boxes; and what the files hold."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import make_member, make_record
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image
from test_maps import explained

from archbench.cli import app
from archbench.errors import ArchbenchError
from archbench.publish import reading
from archbench.publish.figures import checking, error, files, gallery, lineage, look, marks, palette, tree
from archbench.publish.figures.labels import Placing, Point
from archbench.publish.figures.letters import Letters
from archbench.publish.figures.look import Look
from archbench.publish.figures.picture import Picture
from archbench.publish.figures.sheet import Sheet
from archbench.records.schema import Doubt, Measurement, Record, seal
from archbench.records.store import Store

CLASSES = ("pointwise", "dense_conv", "depthwise", "head", "norm")
NOISY = Doubt(code="noisy", message="m", at={"batch": 1, "mode": "eager"})
ONE_ALONE, IN_BATCH = {"batch": 1, "mode": "eager"}, {"batch": 32, "mode": "eager"}


def member(name: str, latency_s: float = 0.01, macs: int = 10**8, year: int = 2014, **changes: object) -> Record:
    """A profile with times; half of the MACs, and of the time, are in 1x1."""
    at = {"phase": "forward", "operator_class": "pointwise"}
    rows = (
        Measurement(name="latency_s", value=latency_s, low=0.9 * latency_s, high=1.2 * latency_s, method="m", at=ONE_ALONE),
        Measurement(name="infer_images_per_s", value=1 / latency_s, low=0.8 / latency_s, high=1.25 / latency_s, method="m", at=IN_BATCH),
        Measurement(name="peak_macs_per_s", value=1e11, method="m"),
        Measurement(name="peak_bytes_per_s", value=1e10, method="m"),
        *(Measurement(name=each, value=value, method="m", at=at) for each, value in (("macs_per_s", 5e9), ("macs_per_byte", 4.0))),
    )
    counts = {"macs": {"pointwise": macs / 2, "dense_conv": macs / 2}, "params": {"pointwise": macs / 100}}
    seconds = {"pointwise": 0.2, "norm": 0.2}
    return make_member(name, year, counts=counts, forward_s=seconds, backward_s=seconds, rows=rows, **changes)


def trained(name: str, error_pct: float = 10.0, fraction: float = 1.0, seed: int = 0, **changes: object) -> Record:
    record = make_record(name, error_pct=error_pct, seed=seed)
    data = {**record.config["data"], "train_fraction": fraction}
    rows = (
        Measurement(name="test_error_pct", value=error_pct, low=error_pct - 2, high=error_pct + 2, method="wilson"),
        Measurement(name="train_error_pct", value=error_pct / 2, method="m"),
    )
    fields = {"measurements": rows, "samples": {"curves": {"loss": [2.0, 1.0, 0.5]}}, "key": f"{record.key}-{fraction}", **changes}
    group = f"{record.group}-{fraction}"
    return seal(**{**record.model_dump(exclude={"id"}), "config": {**record.config, "data": data}, "group": group, **fields})


def of_length(record: Record, recipe: str, epochs: int, epoch_s: Sequence[float], **changes: object) -> Record:
    """The training under another recipe, its epochs timed."""
    config = {**record.config, "training": {**record.config["training"], "name": recipe, "epochs": epochs}}
    curves = {"curves": {"loss": [1.0], "epoch_s": list(epoch_s)}}
    names = {"key": f"{record.key}-{recipe}-{epochs}", "group": f"{record.group}-{recipe}-{epochs}"}
    return seal(**{**record.model_dump(exclude={"id"}), "config": config, "samples": curves, **names, **changes})


def family() -> list[Record]:
    """Sixteen members, each with parents among those before it, of nearly the same cost and error; three are far off."""
    names = [f"network_{'wide_' * (place % 3)}{place}" for place in range(16)]
    profiles = [
        member(
            name,
            latency_s=0.01 * (1 + 0.1 * place) * (20 if place in (3, 7, 11) else 1),
            macs=10**8 * (1 + place // 4),
            year=1998 + min(place, 14),
            warnings=(NOISY,) if place % 2 else (),
        )
        for place, name in enumerate(names)
    ]
    with_parents = [
        seal(**{**record.model_dump(exclude={"id"}), "model": {**record.model.model_dump(), "spec": {**record.model.spec, "parents": kin}}})
        for record, kin in zip(profiles, ([], *([names[place // 2], names[place - 1]] for place in range(1, 16))), strict=True)
    ]
    trainings = [trained(name, 10 + place % 5, seed=seed) for place, name in enumerate(names) for seed in (0, 1)]
    lengths = [(recipe, epochs) for recipe in ("modern", "fast") for epochs in (2, 4, 8)]
    timed = [
        of_length(trained(name, 40 / epochs + place), recipe, epochs, [60 + 5 * place] * epochs)
        for place, name in enumerate(names[:6])
        for recipe, epochs in lengths
    ]
    return [*with_parents, *trainings, *(trained(name, 20, 0.1) for name in names[:3]), *timed]


FAMILY = family()


def explained_family() -> list[Record]:
    """Ten networks explained at three links, with it kept and broken."""
    models = [f"network_{place}+head=gap+width=0.25" for place in range(10)]
    return [explained(model, link, test) for model in models for link in (0, 95, 100) for test in ("kept", "broken")]


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Each text that is seen, with its box in pixels; the two slashes of an axis are no words."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    beyond = [tick.label1 for axis in axes for tick in axis.get_major_ticks() if not _within(tick.get_loc(), axis.get_view_interval())]
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() not in ("", "//")]
    return [(text.get_text(), text.get_window_extent()) for text in found if text not in beyond]


def _within(place: float, interval: Sequence[float]) -> bool:
    return min(interval) <= place <= max(interval)


def overlaps(found: Iterable[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    """Texts whose boxes share more than a pixel in both directions."""
    return [
        (one, other)
        for (one, box), (other, other_box) in itertools.combinations(found, 2)
        if min(box.x1, other_box.x1) - max(box.x0, other_box.x0) > 1 and min(box.y1, other_box.y1) - max(box.y0, other_box.y0) > 1
    ]


def drawn(name: str, records: Sequence[Record], style: str = "paper", columns: int = 1) -> list[Figure]:
    look = Look.of(style, columns)
    return [figure for picture in gallery.pictures(name, records) for _, figure in gallery.drawn(picture, look)]


LOOKS = [
    *((name, "paper", 1) for name in gallery.NAMES),
    *((name, "paper", 2) for name in ("error", "lineage", "time")),
    ("lineage", "talk", 1),
    ("shares", "talk", 1),
]


@pytest.mark.parametrize(("name", "style", "columns"), LOOKS)
def test_no_text_covers_another_or_leaves_the_figure(name: str, style: str, columns: int) -> None:
    figures = drawn(name, [*FAMILY, *explained_family()], style, columns)
    assert figures
    for figure in figures[:2]:
        with gallery.settings(Look.of(style, columns)):
            found = texts(figure)
        assert overlaps(found) == []
        width, height = figure.get_size_inches() * figure.dpi
        assert [text for text, box in found if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1] == []
        assert figure.get_size_inches()[0] == Look.of(style, columns).width_in
        assert height / figure.dpi <= Look.of(style, columns).style.most_height_in


def test_no_picture_mixes_conditions() -> None:
    """Five members at batch 32 and five at batch 64: two pictures of each kind, each of five and with its batch above it."""
    other = [
        seal(**{**record.model_dump(exclude={"id"}), "config": {**record.config, "batch": 64}, "key": f"{record.key}-64"})
        for record in FAMILY[:5]
    ]
    for name in ("lineage", "shares", "pointwise"):
        pictures = gallery.pictures(name, [*FAMILY[:5], *other])
        assert [(len(picture.rows), picture.key) for picture in pictures] == [(5, "1x32x32-b32"), (5, "1x32x32-b64")]
        assert ["batch 32" in picture.condition for picture in pictures] == [True, False]


def test_conditions_of_one_short_name_are_told_apart_by_their_hash() -> None:
    """On 2 threads and on 4."""
    other = seal(**{**FAMILY[0].model_dump(exclude={"id"}), "environment": {**FAMILY[0].environment, "threads": 4}, "key": "other"})
    stems = [picture.stem for picture in gallery.pictures("shares", [FAMILY[0], other])]
    assert len(set(stems)) == 2
    assert all(stem.startswith("shares-1x32x32-b32-") for stem in stems)


def test_conditions_of_one_short_name_are_told_apart_by_their_precision() -> None:
    """In fp32 and in bf16, each in one form: no hash is needed."""
    config = FAMILY[0].config
    execution = {**config["execution"], "precision": "bf16"}
    other = seal(**{**FAMILY[0].model_dump(exclude={"id"}), "config": {**config, "execution": execution}, "key": "other"})
    stems = {picture.stem for picture in gallery.pictures("shares", [FAMILY[0], other])}
    assert stems == {"shares-1x32x32-b32-fp32", "shares-1x32x32-b32-bf16"}


def test_the_front_holds_whom_no_other_beats_in_both() -> None:
    """b costs more and errs more than a; c costs more and errs less."""
    rows = [
        {"model": name, "macs": cost, "test_error_pct": pct} for name, cost, pct in (("b", 2, 9), ("c", 3, 5), ("a", 1, 8), ("d", 3, 6))
    ]
    assert [row["model"] for row in error._front(rows, "macs")] == ["a", "c"]


def test_an_error_stands_beside_counts_of_any_profile_and_a_latency_of_its_own_conditions() -> None:
    """b was timed at another batch: its latency is not shown beside a's, its counts are."""
    elsewhere = seal(**{**member("b").model_dump(exclude={"id"}), "config": {**member("b").config, "batch": 4}, "key": "elsewhere"})
    (picture,) = gallery.pictures("error", [member("c", macs=4), member("a"), elsewhere, trained("a"), trained("b", 20)])
    found = {row["model"]: row for row in picture.rows}
    assert (found["a"]["macs"], found["a"]["latency_s"]) == (10**8, 0.01)
    assert (found["b"]["macs"], found["b"]["latency_s"]) == (10**8, None)


def test_a_doubtful_latency_is_hollow_and_said_to_be() -> None:
    (picture,) = gallery.pictures("error", [member("a", warnings=(NOISY,)), trained("a")])
    assert "hollow: in doubt (interval beyond ±2 %)" in picture.notes
    (row,) = picture.rows
    assert (error._mark(row, "latency_s").hollow, error._mark(row, "macs").hollow) == (True, False)
    (figure,) = drawn("error", [member("a", warnings=(NOISY,)), trained("a")], columns=2)
    faces = [line.get_markerfacecolor() for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert faces == ["#0072b2", "#0072b2", "white"]


def test_those_off_the_line_of_the_macs_are_the_ones_that_the_reading_names() -> None:
    """Of equal MACs, latencies 10, 10, 10, 10, 25 and 4 ms: 2.5 and 0.4 times the median."""
    records = [member(name, ms / 1e3) for name, ms in zip("abcdef", (10, 10, 10, 10, 25, 4), strict=True)]
    (picture,) = gallery.pictures("time", records)
    off = [row["model"] for row in picture.rows if row["time"] == "latency_s" and not 0.5 <= row["off"] <= 2]
    assert off == ["e", "f"]
    (said,) = (
        line
        for line in reading.follows_macs(lineage.lineage.member_rows(records))
        if line.startswith("For each MAC the time of one image alone")
    )
    assert "over 2 times the median in e (2.5×), under 1/2 of it in f (0.4×)" in said
    named = [text for text, _ in texts(drawn("time", records, columns=2)[0])]
    assert [name for name in "abcdef" if name in named] == ["e", "f"]


def test_every_network_off_the_line_is_named_even_without_room_at_its_mark() -> None:
    """Twenty of the same MACs and time; ten take a hundred times as long."""
    records = [member(f"a_rather_long_name_{place}", 1.0 if place < 6 else 0.01) for place in range(20)]
    words = " ".join(text for text, _ in texts(drawn("time", records)[0]))
    assert all(f"a_rather_long_name_{place}" in words.replace("\n", " ") for place in range(6))


def test_members_stand_by_year_with_a_line_to_each_parent_that_is_shown() -> None:
    (picture,) = gallery.pictures("lineage", FAMILY)
    found = tree.members(picture.rows)
    years = lineage.Years([each.year for each in found], tree.widths(found, 0.5))
    laid = tree.laid_out(found, years, tree.Room(3.0, 0.07, dict.fromkeys((each.name for each in found), 0.6), 0.5))
    for one, other in itertools.pairwise(found):
        assert laid.at[one.name][0] <= laid.at[other.name][0]
    assert len(laid.curves) == sum(len(row["parents"]) for row in picture.rows) == 30 - 2  # two of them name one parent twice
    assert {(curve[0], curve[-1]) for curve in laid.curves} == {
        (laid.at[kin], laid.at[each.name]) for each in found for kin in each.parents
    }


def test_a_share_of_each_bar_is_that_of_the_table() -> None:
    """Half of the MACs mix channels; of the time half, the norms' half mixes nothing."""
    (row,) = gallery.pictures("shares", [member("a")])[0].rows
    assert {name: share for name, share in row["macs"].items() if share} == {"channels": 50, "both": 50}
    assert {name: share for name, share in row["time_s"].items() if share} == {"channels": 50, "rest": 50}


def test_seeds_are_in_order_whatever_stands_in_their_place() -> None:
    runs = [trained("a", seed=seed) for seed in (10, 2)]
    odd = seal(**{**runs[0].model_dump(exclude={"id"}), "key": "odd", "config": {**runs[0].config, "seed": "x"}})
    (picture,) = gallery.pictures("curves", [odd, *runs])
    assert list(picture.rows[0]["seeds"]) == ["2", "10", "x"]


@pytest.mark.parametrize("beyond", [float("nan"), 10**400])
def test_a_loss_that_is_not_finite_ends_its_curve(beyond: float) -> None:
    curve = {"curves": {"loss": [2.0, beyond, 1.0]}}
    (picture,) = gallery.pictures("curves", [trained("a", samples=curve, status="diverged")])
    assert picture.rows[0]["seeds"] == {"0": [2.0]}
    assert "with runs that diverged, in the mean up to there: a" in picture.notes


def test_error_against_the_share_of_the_training_set_is_of_networks_on_several() -> None:
    """Means of 10 and 12, and of 20; the gap is half of each, since the training error is half of the test error."""
    records = [trained("a", 10), trained("a", 12, seed=1), trained("a", 20, 0.1), trained("b", 30)]
    (picture,) = gallery.pictures("data_scale", records)
    assert [(row["model"], row["train_pct"], row["n"]) for row in picture.rows] == [("a", 10, 1), ("a", 100, 2)]
    assert [row["test_error_pct"]["value"] for row in picture.rows] == [20, 11]
    assert [row["gap_points"]["value"] for row in picture.rows] == [10, 5.5]


def test_error_against_minutes_is_of_networks_with_several_whole_runs() -> None:
    """Two epochs of 30 s are a minute; seeds of 60 and 180 s have a median of two. b ran once, c's epochs were not all timed."""
    records = [
        of_length(trained("a", 20), "fast", 2, [30, 30]),
        of_length(trained("a", 10), "fast", 4, [15] * 4),
        of_length(trained("a", 12, seed=1), "fast", 4, [45] * 4),
        of_length(trained("a", 15), "modern", 4, [60] * 4),
        of_length(trained("b", 30), "fast", 4, [60] * 4),
        *(of_length(trained("c", 30), "fast", epochs, times) for epochs, times in ((2, [60, float("nan")]), (1, [True]), (3, [60, 60]))),
        *(of_length(trained("c", 30), "fast", 1, [seconds]) for seconds in (1e300, 1e-300)),
        of_length(trained("a", 15, seed=1), "modern", 4, [1], status="diverged", measurements=()),
        of_length(trained("a", 21, seed=2), "modern", 4, []),
    ]
    (picture,) = gallery.pictures("minutes", records)
    shown = [(row["model"], row["recipe"], row["epochs"], row["n"], *row["minutes"].values()) for row in picture.rows]
    assert shown == [("a", "fast", 2, 1, 1, 1, 1), ("a", "fast", 4, 2, 2, 1, 3), ("a", "modern", 4, 2, 4, 4, 4)]
    assert [row["test_error_pct"]["value"] for row in picture.rows] == [20, 11, 18]
    assert "a, modern, 4 epochs: 1 diverged" in picture.notes
    assert "a, modern, 4 epochs: 1 without times of all epochs, in the error alone" in picture.notes
    assert [row["doubts"] for row in picture.rows] == [[], ["spread"], []]
    assert picture.stem == "minutes-digits"


def test_what_was_timed_on_another_machine_is_not_missed_on_this_one() -> None:
    """Of a's four epochs the one seed that came to an end had other threads, so that two epochs are all that is left here."""
    lost = of_length(trained("a", 20), "fast", 4, [30], status="diverged", measurements=())
    other = of_length(trained("a", 20, seed=1), "fast", 4, [30] * 4)
    other = seal(**{**other.model_dump(exclude={"id"}), "environment": {**other.environment, "threads": 8}})
    assert gallery.pictures("minutes", [lost, other, of_length(trained("a", 20), "fast", 2, [30, 30])]) == []


def test_recipes_of_one_name_are_lines_of_their_own() -> None:
    record = of_length(trained("a"), "fast", 2, [60, 60])
    with_rates = [
        seal(**{**record.model_dump(exclude={"id"}), "config": {**record.config, "recipe": {"lr": lr}}, "key": f"k{lr}", "group": f"g{lr}"})
        for lr in (0.1, 0.5)
    ]
    (picture,) = gallery.pictures("minutes", with_rates)
    assert [row["recipe"] for row in picture.rows] == ["fast · lr 0.1", "fast · lr 0.5"]


@pytest.mark.parametrize("name", gallery.NAMES)
def test_where_there_is_nothing_a_line_says_what_would_make_it(name: str) -> None:
    failed = make_record("a", status="failed", failure={"reason": "failed", "message": "m"}, measurements=())
    assert gallery.pictures(name, [failed]) == gallery.pictures(name, []) == []
    assert gallery.missing(name).startswith(f"{name}: takes ")
    assert "archbench " in gallery.missing(name)


def test_records_without_macs_or_without_an_error_are_left_out_of_what_needs_them() -> None:
    """Five members and one of no MACs, which has no time a MAC; a training whose error is not known."""
    members = [member(name, macs=10**8 * (name != "f")) for name in "abcdef"]
    (picture,) = gallery.pictures("time", members)
    assert [row["model"] for row in picture.rows] == [*"abcde", *"abcde"]
    unknown = trained("b", measurements=(Measurement(name="test_error_pct", value=None, method="m"),))
    (picture,) = gallery.pictures("error", [*members, trained("a"), unknown])
    assert [row["model"] for row in picture.rows] == ["a"]
    assert "without error or counts, not shown: b" in picture.notes


def test_of_very_many_networks_the_first_pages_are_drawn_and_the_figure_says_so() -> None:
    """Seven curves of a data_scale page can be told apart: of 30 networks four pages hold 28; the file has the data of all."""
    records = [trained(f"n{place:02}", 10, fraction) for place in range(30) for fraction in (1, 0.1)]
    (picture,) = gallery.pictures("data_scale", records)
    assert len(picture.rows) == 60
    look = Look.of("web", 2)
    pages = [figure for _, figure in gallery.drawn(picture, look)]
    assert len(pages) == 4
    words = " ".join(text for text, _ in texts(pages[0]))
    assert "the first 28 of 30 networks; --models draws others" in words


def test_many_marks_are_small() -> None:
    """Four hundred have together the area of a hundred: half the width."""
    look = Look.of("paper", 1)
    assert marks.width_pt(look, 400) == marks.width_pt(look) / 2 == marks.width_pt(look, 100) / 2 == 2.1


@pytest.mark.parametrize(
    ("low", "high", "apart", "ticks"),
    [
        (1, 1000, 0.1, [1, 10, 100, 1000]),
        (3e-3, 4e-3, 0.1, [3e-3, 3.5e-3, 4e-3]),
        (10, 100, 0.2, [10, 20, 50, 100]),
        (1, 1e12, 0.0, [1, 1e3, 1e6, 1e9, 1e12]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round_and_few(low: float, high: float, apart: float, ticks: list[float]) -> None:
    assert marks.log_ticks(low, high, apart) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(2.5e6, "", "2.5 M"), (0.003, "s", "3 ms"), (1, "", "1"), (4e10, "MAC/s", "40 GMAC/s"), (2e-8, "s", "20 ns"), (3e12, "", "3 T")],
)
def test_figures_on_an_axis_have_a_prefix_and_a_unit(value: float, unit: str, text: str) -> None:
    assert marks.prefixed(value, unit) == text


def test_long_names_keep_their_ends_and_stay_apart() -> None:
    look = Look.of("paper", 1)
    names = [f"{'x' * 200}{end}" for end in ("_one", "_two")] + [f"{'y' * 100}{middle}{'y' * 100}" for middle in "ab"]
    with gallery.settings(look):
        letters = Letters(look)
        short = letters.shortened(names)
        assert all(letters.width_in(each, 6.5) <= 0.4 * look.width_in + 0.01 for each in short.values())
    assert len(set(short.values())) == 4
    assert [short[name][-4:] for name in names[:2]] == ["_one", "_two"]


ODD = ["网络", "сеть", "a$b$c_{x}^2", '<b>&"nin"</b>', "line\nbreak", "\\alpha%", "(un\\balanced", "nin"]


@pytest.mark.parametrize("form", files.FORMATS)
def test_a_file_holds_its_data_whatever_the_names_are(form: str, tmp_path: Path) -> None:
    look = Look.of("paper", 1)
    (picture,) = gallery.pictures("shares", [member(name) for name in ODD])
    (path,) = files.write(picture, look, [form], tmp_path)
    stored = files.data_of(path)
    assert stored == {**picture.data, "sha256": picture.sha256}
    assert [row["model"] for row in stored["rows"]] == sorted(ODD)
    content = path.read_bytes()
    assert files.write(picture, look, [form], tmp_path)[0].read_bytes() == content
    assert b"/CreationDate" not in content
    assert b"matplotlib" not in content.lower() or form == "svg"  # which names its web address in each file


def test_letters_that_no_font_has_are_named() -> None:
    """Cyrillic is in DejaVu Sans; in the block of hieroglyphs it has nothing."""
    assert look.lacking(["сеть nin 1×1 µs", "\U00013000\U00013001", "a\U00013000"]) == "\U00013000\U00013001"


def test_a_fill_keeps_its_colour_among_many_shades() -> None:
    """400 pixels of each of two blues, and 256 shades of grey of 500 pixels each, which are commoner."""
    pixels = np.full((700, 300, 4), 255, dtype=np.uint8)
    flat = pixels.reshape(-1, 4)
    flat[:128_000, :3] = np.repeat(np.arange(256), 500)[:, None]
    flat[128_000:128_400, :3], flat[128_400:128_800, :3] = (8, 48, 107), (8, 74, 145)
    seen = np.asarray(palette.reduced(pixels).convert("RGB")).reshape(-1, 3)
    assert [tuple(map(int, seen[place])) for place in (128_000, 128_400, 209_999)] == [(8, 48, 107), (8, 74, 145), (255, 255, 255)]
    assert np.abs(seen[:128_000].astype(int) - flat[:128_000, :3]).max() <= 4  # three channels together by less than twelve


def test_a_line_to_a_name_runs_over_no_other_name() -> None:
    """Forty marks close together; those whose names find no such place are left out."""
    with gallery.settings(Look.of("paper", 2)):
        sheet = Sheet(Look.of("paper", 2), "t", "c", [])
        (axes,) = marks.panels(sheet, 1, 14, "100")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        points = [Point(0.45 + 0.02 * (place % 7), 0.45 + 0.03 * (place // 7), f"network_{place}") for place in range(40)]
        placing = Placing(axes, sheet)
        placing.avoid(points, marks.MARK_PT)
        left_out = placing.write(points, marks.MARK_PT)
        boxes = [Bbox.from_extents(*box) for box in placing.names]
    assert len(boxes) == 40 - len(left_out) > 8
    ends = [line.get_transform().transform(line.get_xydata()) for line in axes.lines]
    assert len(ends) > 3
    for start, end in ends:
        crossed = [box for box in boxes if box.padded(-2).count_contains(np.linspace(start, end, 50))]
        assert crossed == []


def test_dollar_signs_make_no_formula() -> None:
    (figure,) = drawn("shares", [member("a$b$c")])
    assert "a$b$c" in [text for text, _ in texts(figure)]
    assert not any(text.get_parse_math() for text in figure.findobj(Text))


def test_letters_are_in_the_file(tmp_path: Path) -> None:
    """TrueType in a PDF, shapes in an SVG."""
    (picture,) = gallery.pictures("shares", [member("a")])
    pdf, svg = files.write(picture, Look.of("paper", 1), ["pdf", "svg"], tmp_path)
    assert b"/FontFile2" in pdf.read_bytes()
    assert b"/Type3" not in pdf.read_bytes()
    assert b"<text" not in svg.read_bytes()


def test_a_png_is_as_wide_as_its_style_says(tmp_path: Path) -> None:
    """3.3 inches at 200 dots."""
    (picture,) = gallery.pictures("shares", [member("a")])
    (path,) = files.write(picture, Look.of("paper", 1), ["png"], tmp_path)
    with Image.open(path) as image:
        assert image.width == 660


def test_the_hash_is_that_of_nine_digits() -> None:
    """The last digits of a mean differ between processors."""
    one, other = (Picture("error", "k", "c", [{"x": value}]) for value in (0.1 + 0.2, 0.3))
    assert one.sha256 == other.sha256 != Picture("error", "k", "c", [{"x": 0.3001}]).sha256


def test_figures_that_lag_behind_are_named(tmp_path: Path) -> None:
    """One as it should be, one with other data, one that there is no more, one that is missing, one edited; a picture of the user's own."""
    pictures = [Picture("shares", key, "c", [{"model": key}]) for key in ("same", "other", "missing")]
    before = [pictures[0], Picture("shares", "other", "c", []), Picture("shares", "gone", "c", [])]
    svg = '<svg xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>{}</dc:description></svg>'
    for picture in before:
        stored = files.json.dumps({"sha256": picture.sha256, **picture.data})
        (tmp_path / f"{picture.stem}.svg").write_text(svg.format(stored))
    (tmp_path / "edited.svg").write_text((tmp_path / "shares-same.svg").read_text().replace('"c"', '"d"'))
    (tmp_path / "own.svg").write_text("<svg/>")
    edited, *lag = [
        "edited.svg was changed after it was written: its data are not those of its hash",
        "shares-gone.svg shows what the Records do not give any more",
        "shares-other.svg lags behind the Records",
        "shares-missing is not there",
    ]
    assert checking.lagging(pictures, tmp_path, ["shares"]) == [edited, *lag]
    assert checking.lagging(pictures, tmp_path, []) == [edited, *lag[:-1]]  # a folder need not hold every figure
    assert checking.lagging(pictures[::2], tmp_path, ["shares-missing", "shares-same"]) == [edited, lag[-1]]
    assert checking.lagging([], tmp_path, ["curves"]) == [edited]
    with pytest.raises(ArchbenchError, match="no figure in"):
        checking.lagging(pictures, tmp_path / "elsewhere", [])


def called(*arguments: str) -> int:
    """The exit status of `archbench figures`, in this process."""
    result = app.build(["figures", *arguments])(["figures", *arguments], standalone_mode=False)
    return result if isinstance(result, int) else 0


def test_written_figures_are_checked_against_the_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    store.save(member("a"))
    options = ("shares", "--results", str(tmp_path), "--format", "png")
    assert called(*options) == 0
    assert called(*options, "--check") == 0
    store.save(member("b"))
    capsys.readouterr()
    assert called(*options, "--check") == 1
    assert capsys.readouterr().out == "shares-1x32x32-b32.png lags behind the Records\n"


def test_a_figure_that_is_asked_for_and_cannot_be_drawn_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(tmp_path).save(member("a"))
    assert called("maps", "--results", str(tmp_path)) == 1
    assert "not drawn: maps: takes Records of kind explain" in capsys.readouterr().err
    assert called("maps", "shares", "--results", str(tmp_path), "--format", "png") == 0


def test_a_caption_beside_holds_what_the_picture_then_lacks(tmp_path: Path) -> None:
    (picture,) = gallery.pictures("shares", [member("a"), member("b")])
    inside, beside = (dict(files.contents(picture, Look.of("talk", 2, captioned), ("pdf", "png"))) for captioned in (True, False))
    assert [*beside] == ["shares-1x32x32-b32.txt", *inside]
    title, condition, *notes = beside["shares-1x32x32-b32.txt"].decode().splitlines()
    assert (condition, notes) == (picture.condition, [*picture.notes])
    texts = [
        [text.get_text() for figure in gallery.drawn(picture, Look.of("talk", 2, captioned)) for text in figure[1].findobj(Text)]
        for captioned in (True, False)
    ]
    assert title in texts[0]
    assert set(texts[0]) - set(texts[1]) >= {title, *(text for text in texts[0] if text.startswith("· "))}
    assert files.data_of(_written(tmp_path, beside)) == files.data_of(_written(tmp_path / "inside", inside))


def _written(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "shares-1x32x32-b32.png"
    path.write_bytes(contents[path.name])
    return path


@pytest.mark.parametrize("form", files.FORMATS)
def test_a_name_with_signs_that_steer_a_terminal_makes_a_file_that_can_be_read(form: str, tmp_path: Path) -> None:
    made = Picture("shares", "k", "d/\x1b[31mred", gallery.pictures("shares", [member("a"), member("b")])[0].rows)
    for path in files.write(made, Look.of("web", 1, captioned=False), (form,), tmp_path):
        text = path.read_bytes()
        assert files.data_of(path) is not None if path.suffix != ".txt" else b"\x1b" not in text


def test_a_profile_whose_label_is_not_its_name_is_drawn() -> None:
    renamed = [member(f"net_{n}", year=2010 + n, model={"label": f"net_{n}@1fb8e7"}) for n in range(6)]
    assert {name: len(gallery.pictures(name, renamed)) for name in gallery.NAMES}["pointwise"] == 1


def test_one_picture_is_named_by_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for record in FAMILY[:5]:
        Store(tmp_path).save(record)
    options = ("--results", str(tmp_path))
    assert called("shares-1x32x32-b32", *options) == 0
    assert "not drawn" not in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["shares-1x32x32-b32.png"]
    assert called("--check", "--dataset", "digits", *options) == 0  # profiles are of none
    assert "all figures are as the Records have them" in capsys.readouterr().err
    assert called("minutes", "--check", *options) == 1
    assert "not drawn: minutes: takes" in capsys.readouterr().err
    Store(tmp_path).save(trained("a"))
    with pytest.raises(ArchbenchError, match="unknown data set among the Records: 'digit'; did you mean 'digits'"):
        called("--dataset", "digit", *options)
    assert called("shares", "lineage-1x32x32-b32", "--check", *options) == 1
    assert capsys.readouterr().out == "lineage-1x32x32-b32 is not there\n"
    with pytest.raises(ArchbenchError, match="unknown picture 'shares-1x32'; did you mean 'shares-1x32x32-b32'"):
        called("shares-1x32", *options)


def test_an_empty_store_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("--results", str(tmp_path)) == 0
    assert "no finished run in" in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["linage"], "unknown figure 'linage'; did you mean 'lineage'?"),
        (["--style", "papper"], "unknown style 'papper'; did you mean 'paper'?"),
        (["--format", "jpeg"], "unknown format 'jpeg'"),
        (["--format", ","], "--format takes pdf, svg, png"),
        (["--columns", "3"], "--columns takes 1 or 2 (got 3)"),
        (["--models", "b*"], "unknown model among the Records: 'b\\*'"),
        (["--results", "nowhere"], "there is no results folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    Store(tmp_path).save(make_record("a"))
    with pytest.raises(ArchbenchError, match=message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        called("--results", str(tmp_path), *arguments)


def test_a_profile_that_counted_nothing_has_no_bar() -> None:
    assert gallery.pictures("shares", [make_member("a", counts={"macs": {"pointwise": 0}})]) == []


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one process draws all")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_processes_that_draw_end_with_the_one_that_asked(number: signal.Signals, status: int, tmp_path: Path) -> None:
    for record in FAMILY:
        Store(tmp_path).save(record)
    command = [sys.executable, "-m", "archbench", "figures", "--results", str(tmp_path), "--format", "pdf,png,svg"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        drawing: list[psutil.Process] = []
        while process.poll() is None and len(drawing) < 2:
            drawing = psutil.Process(process.pid).children()
        process.send_signal(number)
        assert process.wait(60) == status
    assert psutil.wait_procs(drawing, timeout=60)[1] == []
    assert list((tmp_path / "figures").glob(".writing-*")) == [] or number == signal.SIGKILL
