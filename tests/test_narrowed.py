"""Tables with the columns that a reader asks for."""

from __future__ import annotations

import pytest
from conftest import make_record

from archbench.errors import ArchbenchError
from archbench.publish import formats, results
from archbench.publish.narrowed import headers, narrowed
from archbench.records.schema import Doubt, Measurement

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
    with pytest.raises(ArchbenchError, match="unknown column 'error'"):
        headers(["error"], made)


def test_what_a_row_is_of_stays_first_and_columns_stand_as_asked() -> None:
    (made,) = narrowed(results.tables(RECORDS), ["params", "test error, %"])
    assert [*formats.texts(made)] == ["model", "params", "test error, %"]


def test_notes_on_columns_that_are_not_shown_are_left_out() -> None:
    """Of the notes the second doubt alone is about the network itself."""
    (whole,) = results.tables(RECORDS)
    kept = {column: set(narrowed([whole], [column])[0].notes) for column in ("params", "test error, %", "in 1×1, %", "latency, ms")}
    of_error, of_share, of_time = (kept[each] - kept["params"] for each in ("test error, %", "in 1×1, %", "latency, ms"))
    assert kept["params"] == {"nin: odd"}
    assert all("Wilson" in note for note in of_error) and of_error
    assert all(note.startswith("1×1") for note in of_share) and of_share
    assert all("latency" in note or "time" in note or note == results.STAR for note in of_time) and of_time
    assert kept["params"] | of_error | of_share | of_time == set(whole.notes)


def test_a_table_with_nothing_in_these_columns_is_left_out() -> None:
    trained, profiled = results.tables([make_record("nin"), make_record("vgg", "profile", measurements=TIMED)])
    assert [table.caption for table in narrowed([trained, profiled], ["test error, %"])] == [trained.caption]
