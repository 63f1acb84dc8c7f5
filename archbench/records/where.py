"""Which Records: `model=nin and dataset=cifar10*`, a small language of comparisons, read by hand and never evaluated.

    expression  = term { "or" term }
    term        = factor { "and" factor }
    factor      = "not" factor | "(" expression ")" | comparison
    comparison  = FIELD ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE

A VALUE goes to the next space or parenthesis, or stands in quotes. A text equals a VALUE in any case of letters; outside of quotes, a
VALUE may be a glob (`*`, `?`, `[ab]`). `error`, `epochs`, `batch` and `seed` are numbers; they and `when` can be compared by size, `when`
as a text, so that `when>=2026-11` is from that month on. What a Record does not have equals nothing and is neither smaller nor larger.
`tag=x` holds where one of the tags is x.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from archbench.errors import ArchbenchError, unknown
from archbench.records.schema import Record
from archbench.records.tags import Tags

Value = str | float | tuple[str, ...] | None
Matches = Callable[[Record, Tags], bool]


def _of(*path: str) -> Callable[[Record, Tags], Any]:
    """What stands in a Record's config under these names."""

    def get(record: Record, tags: Tags) -> Any:
        value: Any = record.config
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return get


def _error(record: Record, tags: Tags) -> float | None:
    row = record.measurement("test_error_pct")
    return row.value if row is not None else None


FIELDS: dict[str, Callable[[Record, Tags], Value]] = {
    "id": lambda record, tags: record.id,
    "when": lambda record, tags: record.created,
    "model": lambda record, tags: record.model.label,
    "kind": lambda record, tags: record.kind,
    "dataset": _of("data", "name"),
    "recipe": _of("training", "name"),
    "epochs": _of("training", "epochs"),
    "batch": _of("batch"),
    "seed": lambda record, tags: None if record.kind in ("profile", "imported") else record.config.get("seed"),
    "precision": _of("execution", "precision"),
    "device": lambda record, tags: record.environment["device"]["name"],
    "status": lambda record, tags: record.status,
    "error": _error,
    "tag": lambda record, tags: tags.get(record.id, ()),
}
NUMBERS, ORDERED = ("epochs", "batch", "seed", "error"), ("epochs", "batch", "seed", "error", "when")
ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()])
        |(?P<field>\w+)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>"[^"]*"|'[^']*'|[^\s()"']+)
        |(?P<word>and|or|not)(?![\w=<>!]))\s*""",
    re.VERBOSE,
)
SHAPE = "it is made of FIELD=VALUE (or !=, <, <=, >, >=), and, or, not and parentheses"
MOST_TOKENS, LONGEST_SHOWN = 150, 30


def parse(text: str) -> Matches:
    """Whether a Record with these tags is meant. Raises ArchbenchError in one line for what is not in the language."""
    return _Parser(text).whole()


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.place = text, list(_tokens(text)), 0
        if not self.tokens:
            raise ArchbenchError(f"--where says nothing; {SHAPE}")
        if len(self.tokens) > MOST_TOKENS:
            raise ArchbenchError(f"--where has {len(self.tokens)} parts; {MOST_TOKENS} are the most")

    def whole(self) -> Matches:
        """The expression, to the end of the text."""
        found = self._either()
        if self.place < len(self.tokens):
            raise self._unreadable()
        return found

    def _either(self) -> Matches:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return lambda record, tags: any(part(record, tags) for part in parts)

    def _both(self) -> Matches:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return lambda record, tags: all(part(record, tags) for part in parts)

    def _one(self) -> Matches:
        if self._takes("not"):
            inner = self._one()
            return lambda record, tags: not inner(record, tags)
        if self._takes("("):
            inner = self._either()
            if not self._takes(")"):
                raise self._unreadable("a ) is missing")
            return inner
        if self.place == len(self.tokens) or self.tokens[self.place]["field"] is None:
            raise self._unreadable()
        self.place += 1
        return _comparison(**{name: self.tokens[self.place - 1][name] for name in ("field", "sign", "value")})

    def _takes(self, word: str) -> bool:
        found = self.place < len(self.tokens) and word in (self.tokens[self.place]["mark"], self.tokens[self.place]["word"])
        self.place += found
        return found

    def _unreadable(self, why: str = "") -> ArchbenchError:
        rest = self.text[self.tokens[self.place].start() :] if self.place < len(self.tokens) else ""
        return _unreadable(rest, why)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place = 0
    while text[place:].strip():
        token = TOKEN.match(text, place)
        if token is None:
            raise _unreadable(text[place:])
        yield token
        place = token.end()


def _unreadable(rest: str, why: str = "") -> ArchbenchError:
    where = f"at {rest.strip()[:LONGEST_SHOWN]!r}" if rest.strip() else "at its end"
    return ArchbenchError(f"--where cannot be read {where}{f': {why}' if why else ''}; {SHAPE}")


def _comparison(field: str, sign: str, value: str) -> Matches:
    if field not in FIELDS:
        raise unknown("field", field, FIELDS)
    get = FIELDS[field]
    if sign in ORDERS:
        if field not in ORDERED:
            raise ArchbenchError(f"--where: {field} has no order, so {sign} means nothing; {', '.join(ORDERED)} have one")
        limit, order = (_number(field, value) if field in NUMBERS else _bare(value)), ORDERS[sign]
        return lambda record, tags: (found := get(record, tags)) is not None and order(found, limit)
    equal = _equal(field, value)
    if sign == "=":
        return lambda record, tags: equal(get(record, tags))
    return lambda record, tags: not equal(get(record, tags))


def _equal(field: str, value: str) -> Callable[[Any], bool]:
    if field in NUMBERS:
        number = _number(field, value)
        return lambda found: found is not None and found == number
    text, literal = _bare(value).casefold(), value != _bare(value)

    def same(found: str) -> bool:
        return found.casefold() == text or (not literal and fnmatchcase(found.casefold(), text))

    return lambda found: any(map(same, found)) if isinstance(found, tuple) else found is not None and same(found)


def _bare(value: str) -> str:
    return value[1:-1] if value[0] in "\"'" else value


def _number(field: str, value: str) -> float:
    try:
        return float(_bare(value))
    except ValueError:
        raise ArchbenchError(f"--where: {field} is a number (got {value!r})") from None
