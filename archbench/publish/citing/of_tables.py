"""The Records that stand behind a table: who cites a page cites these."""

from __future__ import annotations

from collections.abc import Sequence

from archbench.errors import ArchbenchError
from archbench.publish import errors
from archbench.publish.asked import check_named, chosen
from archbench.publish.narrowed import captions
from archbench.publish.pages import NAMES, page
from archbench.publish.predictions import Kept
from archbench.records.schema import Record

COLUMNS = ("record", "records")  # of a page's rows: the ids that a row is made from


def ids(name: str, records: Sequence[Record], kept: Kept, condition: Sequence[str] = ()) -> set[str]:
    """The ids of those of the Records that the page of this name is made from, or those of its tables whose captions hold these phrases.

    Raises ArchbenchError where there are none. The classes page counts over seeds, so that its rows name none: it is made from every
    training whose predictions are there.
    """
    assert name in NAMES
    if condition:
        tables = page(name, records, kept, mix=True).tables
        wanted = captions(condition, tables) if tables else []
        found = {record.id for table in tables if table.caption in wanted for record in table.shown}
    elif name == "classes":
        found = {record.id for record in errors.tested(records) if kept.of(record) is not None}
    else:
        frame = page(name, records, kept, mix=True).frame
        found = {each for column in COLUMNS if column in frame for cell in frame[column].dropna() for each in str(cell).split()}
    if not found:
        raise ArchbenchError(f"the table {name} holds nothing: there are no such Records")
    return found


def asked(records: Sequence[Record], models: Sequence[str], dataset: str | None) -> Sequence[Record]:
    """Those of networks that go by one of these names or globs, trained on this data set or on none, as `archbench tables` takes them.

    Raises ArchbenchError, with a near name, for a name or glob that none goes by.
    """
    check_named(models, records, "among the Records", dataset=dataset)
    return chosen(records, models, dataset)
