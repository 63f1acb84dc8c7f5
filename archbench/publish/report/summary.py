"""The summary: sentences computed from the tables, each with the page that holds its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from archbench.publish import best
from archbench.publish.citing.latex import one_line
from archbench.publish.formats import Row, figure
from archbench.publish.pages import Page
from archbench.publish.results import Table
from archbench.publish.sentences import percent
from archbench.publish.writing.stated import versions
from archbench.records.schema import Record
from archbench.records.store import SETTLED

KINDS = {
    "train": "training",
    "profile": "profile",
    "evaluated": "test of kept weights",
    "imported": "imported run",
    "explain": "explained training",
}
ERROR = "test error, %"
MOST_NAMED = 6


def summary(records: Sequence[Record], pages: Iterable[Page]) -> list[dict[str, Any]]:
    """Parts, each with a title, its sentences, and the page of tables behind them, if any."""
    by_name = {page.name: page for page in pages}
    parts = [_part("What there is", _there(records), "environment")]
    parts += [_part(table.caption, _errors(table), "results") for table in by_name["results"].tables if _is_compared(table)]
    verdicts = list(_verdicts(by_name["errors"]))
    parts += [_part("What can be told apart", verdicts, "errors")] * bool(verdicts)
    for reading in by_name["lineage"].readings:
        lines = [line for question, answer in reading.answers.items() if question for line in answer]
        parts.append(_part(f"Lineage · {reading.caption}", lines, "lineage"))
    parts += [_part("Published errors", reading.answers[""], "claims") for reading in by_name["claims"].readings]
    return [part for part in parts if part["sentences"]]


def _part(title: str, sentences: Iterable[str], page: str) -> dict[str, Any]:
    return {"title": one_line(title), "sentences": [one_line(line) for line in sentences], "page": page}


def _there(records: Sequence[Record]) -> Iterator[str]:
    """How many Records of what, of which machine and versions, and how many came to nothing."""
    if not records:
        yield "There are no Records yet: archbench run makes some."
        return
    kinds = Counter(record.kind for record in records)
    said = _list([counted(count, KINDS[kind]) for kind, count in kinds.most_common()])
    models = len({record.model.label for record in records})
    yield f"{counted(len(records), 'Record')} of {counted(models, 'network')}: {said}."
    ended = Counter(record.status for record in records if record.status not in SETTLED)
    if ended:
        said = _list([f"{count} {status.replace('_', ' ')}" for status, count in ended.most_common()])
        yield f"Without a result: {said}."
    devices = dict.fromkeys(str(record.environment["device"]["name"]) for record in records)
    yield f"Measured on {_list(_few(list(devices)))} with {versions(records)}."


def _is_compared(table: Table) -> bool:
    return ERROR in table.columns and bool(table.frame.test_error_pct.notna().any())


def _errors(table: Table) -> Iterator[str]:
    """Who has the least error in a table, and what cannot be told from it."""
    rows: list[Row] = table.frame.to_dict("records")  # type: ignore[assignment]
    known = [row for row in rows if row["test_error_pct"] == row["test_error_pct"]]
    first = min(known, key=lambda row: row["test_error_pct"])
    if len(known) == 1:
        yield f"{first['model']} errs {_error(first)}."
        return
    last = max(known, key=lambda row: row["test_error_pct"])
    yield f"Of {len(known)} networks {first['model']} errs least, {_error(first)}, and {last['model']} most, {_error(last)}."
    marked = [rows[place]["model"] for place in sorted(table.best.get(ERROR, ()))]
    if not marked:
        yield f"Whether that is more than chance is not told: it takes {best.LEAST} seeds of the first, and of another."
    elif others := [name for name in marked if name != first["model"]]:
        yield f"Not told from it at the 5 % level: {_list(_few(others))}."
    else:
        judged = sum(row["n"] >= best.LEAST for row in rows) - 1
        which = "All others" if judged != 1 else "The only other"
        yield f"{which} with at least {best.LEAST} seeds err{'s' * (judged == 1)} more at the 5 % level (Welch's t, Holm)."


def _error(row: Row) -> str:
    """`0.6 [0.0–1.2] % (5 seeds)`."""
    text = figure(row["test_error_pct"], row["test_error_low_pct"], row["test_error_high_pct"], usual=2)
    return f"{text} % ({counted(row['n'], 'seed')})"


def _verdicts(page: Page) -> Iterator[str]:
    """What came of the pairs of the errors page."""
    if page.frame.empty or "verdict" not in page.frame:
        return
    pairs = page.frame[page.frame.verdict.notna() & (page.frame.verdict != "")]
    if len(pairs):
        said = _list([f"{count} {verdict}" for verdict, count in Counter(pairs.verdict).most_common()])
        yield f"Of {counted(len(pairs), 'pair')} of networks with at least {best.LEAST} seeds each: {said}."
    left = page.frame[page.frame.verdict == ""] if "against" in page.frame else pairs.iloc[:0]
    if len(left):
        share = f"{percent(100 * len(left) / (len(left) + len(pairs)))} of all"
        which = f"{counted(len(left), 'more pair')} ({share})" if len(pairs) else f"{counted(len(left), 'pair')} of networks"
        yield f"Of {which} nothing is told, for want of seeds."


def counted(count: int, noun: str) -> str:
    """`1 Record`, `1,200 Records`; `2 tests of kept weights`."""
    first, _, rest = noun.partition(" of ")
    return f"{count:,} {first}{'s' * (count != 1)}{f' of {rest}' if rest else ''}"


def _list(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _few(names: Sequence[str]) -> list[str]:
    return list(names) if len(names) <= MOST_NAMED else [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
