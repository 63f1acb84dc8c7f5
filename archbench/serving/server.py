"""The server: three addresses, GET alone, on 127.0.0.1 alone, and nothing of the disk but what the report says."""

from __future__ import annotations

import errno
import http.server
import socketserver
import sys
from http import HTTPStatus
from typing import Any

from archbench.errors import ArchbenchError, brief, complaint
from archbench.serving.state import Live

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")  # what a browser may call it; under another name a page from elsewhere would be asking
HTML, JSON, TEXT = (f"{kind}; charset=utf-8" for kind in ("text/html", "application/json", "text/plain"))
ALWAYS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
READ_S = 30  # seconds that a connection may be silent


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves one folder's report until it is shut down; `port` 0 takes a free one. Raises ArchbenchError where it is not to be had."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, live: Live, port: int) -> None:
        self.live = live
        try:
            super().__init__((ADDRESS, port), Handler)
        except PermissionError:
            raise ArchbenchError(f"port {port} is for the system alone; --port takes one from 1024 on") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise ArchbenchError(f"port {port} is in use by another process; --port takes another, and 0 a free one") from None

    @property
    def port(self) -> int:
        """On which it listens."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver names them
        """A browser that goes away while it is answered is no error of ours."""
        _, error, _ = sys.exc_info()
        if error is not None and not isinstance(error, OSError):
            sys.stderr.write(f"{complaint(f'a request could not be answered: {brief(error)}')}\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "archbench", ""
    timeout = READ_S

    def do_GET(self) -> None:
        """The page, its data, or the state of the Records."""
        if self.headers.get("Host", "").lower() not in {name for host in HOSTS for name in (host, f"{host}:{self.server.port}")}:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, TEXT, b"this server answers under 127.0.0.1 and localhost alone\n")
        elif self.path == "/state":
            self._answer(HTTPStatus.OK, TEXT, self.server.live.state().encode())
        elif self.path in ("/", "/data.json"):
            self._answer_with_page()
        else:
            self._answer(HTTPStatus.NOT_FOUND, TEXT, b"there is /, /data.json and /state\n")

    def _answer_with_page(self) -> None:
        """The page or its data; where they cannot be made, the reason, here and on stderr."""
        try:
            made = self.server.live.made()
        except Exception as error:  # of Records that are odd in a way nobody thought of: the server goes on
            said = complaint(f"the page could not be made: {brief(error)}")
            sys.stderr.write(f"{said}\n")
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, f"{said}\n".encode())
        else:
            self._answer(HTTPStatus.OK, *((HTML, made.page) if self.path == "/" else (JSON, made.data)), state=made.state)

    def _refuse(self) -> None:
        self.close_connection = True  # what such a request carries is not read
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"GET alone\n", Allow="GET", Connection="close")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, state: str = "", **headers: str) -> None:
        """`state` makes the ETag, by which a browser that has it already is told so."""
        tag = f'"{state}"' if state else ""
        if tag and tag in self.headers.get("If-None-Match", ""):
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        named = {**ALWAYS, **headers, **({"ETag": tag} if tag else {})}
        if status is not HTTPStatus.NOT_MODIFIED:
            named |= {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in named.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed for a request."""
