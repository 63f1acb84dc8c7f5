"""Text as LaTeX, and LaTeX of the kind that stands in bibliographies as text.

What a user wrote is never taken for LaTeX: each sign that LaTeX heeds is written as the command that prints it. What stands in an entry of
a spec is LaTeX, and is left as it is where nothing but accents, braces and simple mathematics is in it.
"""

from __future__ import annotations

import re
import unicodedata

from archbench.publish.writing.latex_text import PRINTED, printed

LATIN = 0x180  # the first sign behind the Latin letters that pdflatex prints as they are
ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
    "b": "\u0331",
}
LETTERS = {
    **{
        "ss": "ß",
        "o": "ø",
        "O": "Ø",
        "l": "ł",
        "L": "Ł",
        "ae": "æ",
        "AE": "Æ",
        "oe": "œ",
        "OE": "Œ",
        "aa": "å",
        "AA": "Å",
        "i": "i",
        "j": "j",
    },
    **{"times": "×", "textendash": "–", "textemdash": "—", "LaTeX": "LaTeX", "TeX": "TeX"},
    **{command.removeprefix("\\").removesuffix("{}"): sign for sign, command in PRINTED.items() if command.endswith("{}")},
}
SIGNS = "&%$#_{}"  # of which a backslash before each prints it
COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
MATHEMATICS = re.compile(r"\$[\w<>=+*/.,:() -]{0,40}\$")
ACCENTED = re.compile(r"\\(?:([`'^~=.\"])\s*|([uvHcdbkr])(?:\s+|(?=\{)))(?:\{(\\?[A-Za-z])\}|(\\?[A-Za-z]))")
NAMED = re.compile(r"\\([A-Za-z]+)(?:\{\}|\s+|(?![A-Za-z]))")


def escaped(text: str) -> str:
    """LaTeX that prints this text, in one line, whatever stands in it."""
    apart = re.sub("-(?=-)", "-\0", one_line(text))  # two would become a dash
    return "".join(PRINTED.get(sign, sign) if ord(sign) < LATIN else printed(sign) for sign in apart).replace("\0", "{}")


def one_line(text: str) -> str:
    """The text without line breaks, and without signs that steer a terminal or turn the direction of writing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in words)


def is_plain(value: str) -> bool:
    """Whether a value of an entry holds no LaTeX but accents, letters, escaped signs, simple mathematics, and braces that match."""
    rest = MATHEMATICS.sub("", value)
    commands = [match[1] for match in COMMAND.finditer(rest)]
    if not all(each in ACCENTS or each in LETTERS or each in SIGNS for each in commands):
        return False
    bare = COMMAND.sub("", rest)
    return balanced(value) and not set(bare) & set("\\$&#_%^") and one_line(value) == value


def balanced(value: str) -> bool:
    """Whether the braces match, as BibTeX counts them: a backslash before one changes nothing."""
    depth = 0
    for sign in value:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return False
    return depth == 0


def text_of(value: str) -> str:
    """What a value prints: `K{\\"o}pf` is Köpf. What is not `is_plain` is given back as it stands."""
    if not is_plain(value):
        return one_line(value)
    text = ACCENTED.sub(lambda found: _accented(found[1] or found[2], found[3] or found[4]), value)
    text = re.sub(
        r"\\([&%$#_{}])", lambda found: {"{": "\\textbraceleft{}", "}": "\\textbraceright{}"}.get(found[1], "\0" + found[1]), text
    )
    text = NAMED.sub(lambda found: _private(LETTERS.get(found[1], found[1])), text)
    text = MATHEMATICS.sub(lambda found: found[0][1:-1], text).replace("---", "—").replace("--", "–").replace("~", " ")
    text = re.sub(r"[{}]", "", text).replace("\0", "")
    return one_line(text.translate(_PUBLIC))


def _accented(accent: str, letter: str) -> str:
    return unicodedata.normalize("NFC", letter.removeprefix("\\") + ACCENTS[accent])


# signs that would be taken for LaTeX later on are kept aside while the rest is read
_KEPT = "{}~\\"
_PUBLIC = {0xE000 + place: sign for place, sign in enumerate(_KEPT)}


def _private(text: str) -> str:
    return text.translate({ord(sign): chr(place) for place, sign in _PUBLIC.items()})
