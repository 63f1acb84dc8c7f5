"""Files that are made from Jinja templates: what holds for all of them."""

from __future__ import annotations

from typing import Any

import jinja2


def environment(package: str, **syntax: Any) -> jinja2.Environment:
    """The templates of a package: lines that only steer leave nothing, and a name that is not there is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        **syntax,
    )
