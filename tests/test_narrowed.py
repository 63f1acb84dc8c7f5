"""Tables with the columns that a reader asks for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from conftest import make_record

from archbench.errors import ArchbenchError
from archbench.publish import formats, results
from archbench.publish.footnotes import OfColumns
from archbench.publish.narrowed import ROW, captions, headers, with_columns
from archbench.publish.pages import NAMES, page
from archbench.publish.predictions import Kept
from archbench.records.schema import Doubt, Measurement
from archbench.records.store import Store

COUNTED = (Measurement(name="params", value=10.0, method="counted"), Measurement(name="macs", value=20.0, method="counted"))
TIMED = (*COUNTED, Measurement(name="latency_s", value=0.002, low=0.001, high=0.003, method="median", at={"batch": 1, "mode": "eager"}))
DOUBTS = (Doubt(code="noisy", message="noisy", at={"batch": 1, "mode": "eager"}), Doubt(code="odd", message="odd"))
RECORDS = [make_record("nin"), make_record("nin", "profile", measurements=TIMED, warnings=DOUBTS)]


def test_a_column_goes_by_the_first_words_of_its_header() -> None:
    made = results.tables(RECORDS)
    assert headers(["test error", "IN 1x1"], made) == ["test error, %", "in 1×1, %"]
    assert headers(["params", "params"], made) == ["params"]
    with pytest.raises(ArchbenchError, match=r"^unknown column 'test eror'; did you mean 'test error, %'\?$"):
        headers(["test eror"], made)
    assert headers(["error"], made) == ["test error, %"]
    assert headers(["time", "1x1"], results.tables([*RECORDS, make_record("vgg", "profile", measurements=TIMED)])) == [
        "time in 1×1, %",
        "in 1×1, %",
    ]
    for name in ("%%", "", "err"):
        with pytest.raises(ArchbenchError, match="unknown column"):
            headers([name], made)


def test_a_header_with_a_comma_may_come_in_parts() -> None:
    made = results.tables(RECORDS)
    assert headers(["test error", "%", "latency", "ms", "params"], made) == ["test error, %", "latency, ms", "params"]


def test_a_row_is_told_from_the_others_under_any_column() -> None:
    """On every page of the committed Records, of which each table has rows that no other has the first columns of."""
    root = Path(__file__).parents[1] / "results"
    records, _ = Store(root).load()
    for name in {*NAMES} - {"claims"}:  # where one claim stands beside several runs
        for table in page(name, records, Kept(None), mix=True).tables:
            for header in formats.texts(table):
                (narrow,) = with_columns([table], [header])
                cells = list(zip(*(column for kept, column in formats.texts(narrow).items() if kept in ROW), strict=True))
                assert len(set(cells)) == len(cells), f"{table.caption}: {header}"


def test_a_note_stays_that_is_about_no_column_here_or_about_one_that_is_shown() -> None:
    rows, columns = pd.DataFrame([{"a": 1}]), {"model": str, "GMAC/s": str, "interval, ms": str}
    of_times, of_errors = OfColumns("of times", "ms", "latency"), OfColumns("of errors", "error")
    table = results.Table("t", rows, (of_times, of_errors), columns)
    assert with_columns([table], ["GMAC/s"])[0].notes == (of_errors,)
    assert with_columns([table], ["interval, ms"])[0].notes == (of_times, of_errors)


def test_a_condition_goes_by_phrases_of_its_caption() -> None:
    made = results.tables([make_record("nin"), make_record("vgg", "profile", measurements=TIMED)])
    trained, profiled = (table.caption for table in made)
    assert captions(["RECIPE modern", "1x32x32"], made) == [trained]
    assert captions(["1x32x32"], made) == [trained, profiled]
    with pytest.raises(ArchbenchError, match="unknown condition 'recipe fast'"):
        captions(["recipe fast"], made)
    with pytest.raises(ArchbenchError, match="unknown condition 'mod'"):
        captions(["mod"], made)


def test_what_a_row_is_of_stays_first_and_columns_stand_as_asked() -> None:
    (made,) = with_columns(results.tables(RECORDS), ["params", "test error, %"])
    assert [*formats.texts(made)] == ["model", "params", "test error, %"]


def test_notes_on_columns_that_are_not_shown_are_left_out() -> None:
    """Of the notes the second doubt alone is about the network itself."""
    (whole,) = results.tables(RECORDS)
    kept = {column: set(with_columns([whole], [column])[0].notes) for column in ("params", "test error, %", "in 1×1, %", "latency, ms")}
    of_error, of_share, of_time = (kept[each] - kept["params"] for each in ("test error, %", "in 1×1, %", "latency, ms"))
    assert kept["params"] == {"nin: odd"}
    assert all("Wilson" in note for note in of_error) and of_error
    assert all(note.startswith("1×1") for note in of_share) and of_share
    assert all("latency" in note or "time" in note or note == results.STAR for note in of_time) and of_time
    assert kept["params"] | of_error | of_share | of_time == set(whole.notes)


def test_a_table_with_nothing_in_these_columns_is_left_out() -> None:
    trained, profiled = results.tables([make_record("nin"), make_record("vgg", "profile", measurements=TIMED)])
    assert [table.caption for table in with_columns([trained, profiled], ["test error, %"])] == [trained.caption]
