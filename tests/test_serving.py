"""The live report: what the server answers, to whom, and that it sees new Records."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Answer, make_record

from archbench import reporting
from archbench.errors import ArchbenchError
from archbench.publish.report.content import Source
from archbench.records.store import Store
from archbench.serving.server import Server
from archbench.serving.state import Live


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    Store(tmp_path).save(make_record("nin"))
    (tmp_path / "secret.txt").write_text("secret")
    with Server(Live(tmp_path, reporting.source), 0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_page_its_data_and_the_state_are_of_the_records_as_they_are(server: Server, tmp_path: Path) -> None:
    (page, html), (data, text), (_, before) = (ask(server, path) for path in ("/", "/data.json", "/state"))
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'data-state="{before.decode()}"' in html.decode()
    assert data.headers["ETag"] == f'"{before.decode()}"'
    assert json.loads(text)["counts"] == {"records": 1, "models": 1}
    assert ask(server, "/state")[1] == before
    Store(tmp_path).save(make_record("vgg"))
    assert ask(server, "/state")[1] != before
    assert json.loads(ask(server, "/data.json")[1])["counts"] == {"records": 2, "models": 2}


def test_who_has_the_data_already_is_told_so(server: Server, tmp_path: Path) -> None:
    tag = ask(server, "/data.json")[0].headers["ETag"]
    answer, body = ask(server, "/data.json", If_None_Match=tag)
    assert (answer.status, body) == (304, b"")
    Store(tmp_path).save(make_record("vgg"))
    assert ask(server, "/data.json", If_None_Match=tag)[0].status == 200


@pytest.mark.parametrize(
    "path", ["/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "//secret.txt", "/runs/", "/?x", "/etc/passwd", "*"]
)
def test_no_file_of_the_disk_has_an_address(server: Server, path: str) -> None:
    answer, body = ask(server, path)
    assert (answer.status, body) == (404, b"there is /, /data.json and /state\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:1", "", "[::1]"])
def test_a_page_from_elsewhere_that_calls_itself_this_machine_learns_nothing(server: Server, host: str) -> None:
    answer, body = ask(server, "/data.json", Host=host)
    assert (answer.status, body) == (421, b"this server answers under 127.0.0.1 and localhost alone\n")
    assert ask(server, "/state", Host=f"LocalHost:{server.port}")[0].status == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_get_is_answered(server: Server, method: str) -> None:
    answer, _ = ask(server, "/data.json", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_no_other_site_may_frame_or_read_it(server: Server) -> None:
    headers = ask(server, "/")[0].headers
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("error", "is_told"), [(RuntimeError("of ours"), True), (BrokenPipeError(), False), (TimeoutError(), False)])
def test_what_goes_wrong_is_told_but_not_that_a_browser_went_away(
    error: Exception, is_told: bool, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Live) -> str:
        raise error

    monkeypatch.setattr(Live, "state", fail)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, "/state")
    assert capfd.readouterr().err == "archbench: a request could not be answered: of ours\n" * is_told


def test_a_port_in_use_is_one_line(server: Server, in_process: object) -> None:
    answer: Answer = in_process("serve", "--port", str(server.port))  # type: ignore[operator]
    line = f"archbench: port {server.port} is in use by another process; --port takes another, and 0 a free one\n"
    assert answer == Answer(2, "", line)


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none_is_one_line(in_process: object, port: str) -> None:
    answer: Answer = in_process("serve", "--port", port)  # type: ignore[operator]
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1


def test_a_file_in_place_of_the_folder_is_one_line(in_process: object, tmp_path: Path) -> None:
    (tmp_path / "r").write_text("")
    answer: Answer = in_process("serve", "--results", "r")  # type: ignore[operator]
    assert answer == Answer(2, "", "archbench: r is no folder; --results names the one of the Records\n")


def test_a_folder_that_is_made_later_is_shown_when_it_is_there(tmp_path: Path) -> None:
    live = Live(tmp_path / "later", reporting.source)
    empty = live.made()
    assert json.loads(empty.data)["counts"] == {"records": 0, "models": 0}
    Store(tmp_path / "later").save(make_record())
    assert json.loads(live.made().data)["counts"] == {"records": 1, "models": 1}
    assert live.made() is live.made()  # and made no oftener than the Records change


def test_interrupt_ends_it_with_one_line_and_torch_is_not_loaded(tmp_path: Path) -> None:
    # a shell's background job, as these tests may be, hands down that SIGINT is ignored
    code = (
        "import signal, sys; from archbench.cli import app; sys.argv = ['archbench', 'serve', '--results', 'r', '--port', '0']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "status = app._status(); print(status, 'torch' in sys.modules)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("http://127.0.0.1:")
    assert first.endswith("/ shows r; it is not there yet, and shown when a run makes it (Ctrl-C ends)\n")
    port = int(first.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/data.json")
    assert json.loads(connection.getresponse().read())["records"] == []
    connection.close()
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (out, err) == ("0 False\n", "ended\n")


def test_a_port_of_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("http.server.HTTPServer.server_bind", refuse)
    with pytest.raises(ArchbenchError, match="port 80 is for the system alone; --port takes one from 1024 on"):
        Server(Live(tmp_path, reporting.source), 80)


def test_what_goes_wrong_with_a_page_is_said_in_one_line(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Path) -> Source:
        raise KeyError("x")

    server.live = Live(server.live.results, fail)
    answer, body = ask(server, "/")
    assert (answer.status, body) == (500, b"archbench: the page could not be made: 'x'\n")
    assert capsys.readouterr().err == body.decode()
    assert ask(server, "/state")[0].status == 200
