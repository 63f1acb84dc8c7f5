"""`archbench serve`: the report in a browser on this machine, kept up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.config import Settings, expanded

PORT_HELP = "Port of 127.0.0.1 to listen on; 0 takes a free one"


def command(
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records, which may be made later")] = Settings.results,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help=PORT_HELP)] = 8765,
) -> None:
    """Show the report of a results folder in a browser on this machine, and keep it up to date while runs write Records. Ctrl-C ends it."""
    from archbench import reporting
    from archbench.cli import view
    from archbench.errors import ArchbenchError
    from archbench.serving.server import ADDRESS, Server
    from archbench.serving.state import Live

    results = expanded(results)
    if results.exists() and not results.is_dir():
        raise ArchbenchError(f"{results} is no folder; --results names the one of the Records")
    with Server(Live(results, reporting.source), port) as server:
        later = "" if results.is_dir() else "; it is not there yet, and shown when a run makes it"
        view.say(f"http://{ADDRESS}:{server.port}/ shows {results}{later} (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            view.say("ended")
