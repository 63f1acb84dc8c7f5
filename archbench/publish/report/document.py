"""The page: one HTML file with its style, script and data inside, which loads nothing and lets nothing else run."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import resources
from typing import Any

import markupsafe

from archbench.publish.templates import environment
from archbench.records.schema import plain

SCRIPTS = ("dom", "state", "records", "tables", "axes", "marks", "plot", "curves", "shares", "lineage", "part", "main")
MARK = "archbench report"  # the generator that a page names, by which one is known
ENVIRONMENT = environment("archbench.publish.report", autoescape=True)
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}  # in JSON these stand in texts alone


def document(content: dict[str, Any], state: str = "") -> str:
    """The page of a content; `state` is that of the store where a server keeps the page up to date, and else empty."""
    style, script = static("report.css"), f'"use strict";\n(() => {{\n{"".join(static(f"{name}.js") for name in SCRIPTS)}}})();\n'
    return ENVIRONMENT.get_template("report.html").render(
        mark=MARK,
        policy=policy(style, script, is_live=bool(state)),
        state=state,
        style=markupsafe.Markup(style),  # ours
        script=markupsafe.Markup(script),  # ours
        data=markupsafe.Markup(embedded(content)),  # escaped for its place
    )


def policy(style: str, script: str, is_live: bool) -> str:
    """What the browser lets the page do: run this script, apply this style, and if live ask the server that it came from."""
    rules = {"default-src": "'none'", "script-src": _hashed(script), "style-src": _hashed(style), "img-src": "data:"}
    rules |= {"connect-src": "'self'"} if is_live else {}
    return "; ".join(f"{name} {value}" for name, value in {**rules, "base-uri": "'none'", "form-action": "'none'"}.items())


def embedded(content: Any) -> str:
    """JSON in ASCII for a script element, which no text in it can end."""
    text = json.dumps(plain(content), separators=(",", ":"), allow_nan=False)
    for sign, escaped in ESCAPED.items():
        text = text.replace(sign, escaped)
    return text


@functools.cache
def static(name: str) -> str:
    """A file of the page's own."""
    return (resources.files("archbench.publish.report") / "static" / name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
