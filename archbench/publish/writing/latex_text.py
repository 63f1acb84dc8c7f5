"""Text of anybody's as LaTeX, in signs that pdflatex shows without a package; one that it cannot show stands as its number, `[U+4E2D]`."""

from __future__ import annotations

import re
import unicodedata

PRINTED = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts a brace behind a backslash too
    "}": r"\textbraceright{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",  # \textquotedbl is none of pdflatex' usual encoding
}
SPECIAL = {
    **PRINTED,
    "-": "-{}",  # two of them are two, and no dash
    "'": "'{}",
    "`": "`{}",
    '"': r"\char34{}",
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # those that a row may not begin with
    "\u00a0": "~",
    "‐": "-{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "→": r"$\rightarrow$",
    "“": "``",
    "”": "''",
    "‘": "`{}",
    "’": "'{}",
    "…": r"\ldots{}",
    "°": r"\textdegree{}",
    "µ": r"$\mu$",
    "§": r"\S{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    **{sign: f"\\textsuperscript{{{digit}}}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
GREEK = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota"},
    **{"κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi"},
    **{"χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma", "Ω": "Omega"},
}
ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0304\u0306\u0307\u030b\u0327", "`'^~\"rv=u.Hc", strict=True))


NUMBERED = "{[}U+"  # how a sign begins that stands as its number
BREAK = r"\allowbreak{}"
PART = re.compile(r"[^_+/.:=-]+[_+/.:=-]?|[_+/.:=-]")  # of a word, up to a sign behind which a line may end
WHOLE, LONGEST = 12, 20  # characters of a word, and of a part of a longer one, that are never broken


def escaped(text: str) -> str:
    """One line of text, of which nothing is a command."""
    return "".join(map(printed, unicodedata.normalize("NFC", text)))


def breakable(text: str) -> str:
    """The same, where a line may end within long words too: behind `_`, `+` and the like, and in what is longer still anywhere."""
    return " ".join(map(_breakable, text.split(" ")))


def length(text: str) -> int:
    """How many signs are shown for it."""
    return sum(len(f"[U+{ord(sign):04X}]") if printed(sign).startswith(NUMBERED) else 1 for sign in unicodedata.normalize("NFC", text))


def _breakable(word: str) -> str:
    if length(word) <= WHOLE:
        return escaped(word)
    parts = [escaped(part) if length(part) <= LONGEST else BREAK.join(map(escaped, part)) for part in PART.findall(word)]
    return BREAK.join(parts)


def printed(sign: str) -> str:
    """What prints one sign."""
    if sign in SPECIAL:
        return SPECIAL[sign]
    if sign.isascii() and sign.isprintable():
        return sign
    if sign in GREEK:
        return f"$\\{GREEK[sign]}$"
    base, *accents = list(unicodedata.normalize("NFD", sign))
    if base.isascii() and base.isalpha() and len(accents) == 1 and accents[0] in ACCENTS:
        return f"\\{ACCENTS[accents[0]]}{{{base}}}"
    return f"{NUMBERED}{ord(sign):04X}{{]}}"
