"""Asking the service: its answers, and every way of giving none."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from pytest_maestro import remote

SCHEMA = Path(__file__).resolve().parents[2] / "api" / "schema.graphql"
TESTS = "def test_one():\n    pass\n\n\ndef test_two():\n    pass\n"


def test_the_questions_fit_the_schema():
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))
    for text in (remote.REPOSITORIES, remote.SELECTION):
        assert validate(schema, parse(text)) == []


@pytest.fixture(scope="module")
def project(new_project):
    return new_project({"test_it.py": TESTS, "notes.txt": "x\n"})


@contextmanager
def serving(answer):
    """A server on this machine which answers every question as `answer(question)` says."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(question)
            answer(self, question)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def reply(handler, data, status=200):
    body = json.dumps(data).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def answering(commit, selection):
    def answer(handler, question):
        if "testSelection" in question["query"]:
            reply(handler, {"data": {"testSelection": selection}})
        else:
            reply(handler, {"data": {"repositories": [{"name": "mine", "head": {"commit": commit}}]}})

    return answer


FOUND = {
    "selected": [{"test": "test_it.py::test_one", "reasons": [["a", "b"]]}],
    "skipped": ["test_it.py::test_two"],
    "widened": ["w"],
    "notes": [],
}


def test_an_answer_is_taken(project):
    commit = project.git("rev-parse", "HEAD")
    (project.root / "new.txt").write_text("new\n")
    with serving(answering(commit, FOUND)) as (url, asked):
        decided = remote.ask(url, "", project.root, 10)
    (project.root / "new.txt").unlink()
    assert decided.all_run == ""
    assert decided.skipped == {"test_it.py::test_two"}
    assert decided.reason("test_it.py::test_one") == ("a", "b")
    assert decided.notes == ("w",)
    variables = asked[1]["variables"]
    assert variables["repository"] == "mine"
    assert variables["rev"] == commit
    assert "+++ b/new.txt" in variables["diff"]


def test_parameters_and_files_that_are_selected_are_not_skipped(project):
    found = {
        **FOUND,
        "selected": [{"test": "a.py::test", "reasons": []}, {"test": "b.py", "reasons": []}],
        "skipped": ["a.py::test[1]", "b.py::test", "a.py::other[1]"],
    }
    with serving(answering(project.git("rev-parse", "HEAD"), found)) as (url, _):
        assert remote.ask(url, "mine", project.root, 10).skipped == {"a.py::other[1]"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda handler, _: reply(handler, {"errors": [{"message": "It is not indexed."}]}), "not indexed"),
        (lambda handler, _: reply(handler, [1]), "not Maestro"),
        (lambda handler, _: reply(handler, {"data": None}), "not Maestro"),
        (lambda handler, _: reply(handler, {"data": {"repositories": []}}), "it knows none"),
        (answering("0" * 40, FOUND), "cannot tell its differences"),
        (
            lambda handler, _: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"),
            "gave no answer",
        ),
        (lambda handler, _: handler.wfile.write(b"nonsense\r\n\r\n"), "gave no answer"),
    ],
    ids=["error", "list", "no data", "no repository", "unknown commit", "cut off", "no http"],
)
def test_what_is_no_answer_runs_everything(project, answer, told):
    with serving(answer) as (url, _):
        decided = remote.ask(url, "", project.root, 10)
    assert told in decided.all_run
    assert not decided.skipped


def test_a_selection_of_another_shape_runs_everything(project):
    from types import SimpleNamespace

    from pytest_maestro.selecting import decision

    with serving(answering(project.git("rev-parse", "HEAD"), {"selected": 3})) as (url, _):
        options = SimpleNamespace(maestro_url=url, maestro_repository="", maestro_timeout=10.0)
        config = SimpleNamespace(option=options, rootpath=project.root)
        decided = decision(config, project.root / "recording")
    assert "The selection failed" in decided.all_run


def silent(handler, question):
    time.sleep(30)


def trickling(handler, question):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(600):
        handler.wfile.write(b" ")
        time.sleep(0.05)


def stopping(handler, question):
    """Answers the first question and then no more."""
    if "testSelection" in question["query"]:
        silent(handler, question)
    else:
        reply(handler, {"data": {"repositories": [{"name": "mine", "head": {"commit": stopping.commit}}]}})


@pytest.mark.parametrize("answer", [silent, trickling, stopping], ids=lambda answer: answer.__name__)
def test_a_server_that_stops_answering_runs_everything_in_time(project, answer):
    stopping.commit = project.git("rev-parse", "HEAD")
    begun = time.monotonic()
    with serving(answer) as (url, _):
        decided = remote.ask(url, "", project.root, 0.5)
    assert "gave no answer" in decided.all_run
    assert time.monotonic() - begun < 10


def test_no_server_and_no_address(project):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "gave no answer" in remote.ask(f"http://127.0.0.1:{port}", "", project.root, 5).all_run
    assert "no address" in remote.ask("ftp://x", "", project.root, 5).all_run


def test_the_run_goes_on_with_all_tests(project):
    with serving(stopping) as (url, _):
        stopping.commit = project.git("rev-parse", "HEAD")
        ran = project.pytest("-q", "--maestro", "--maestro-url", url, "--maestro-timeout", "0.5")
    assert ran.status == 0, ran.text
    assert "2 passed" in ran.text
    assert "maestro: all tests run. The service at" in ran.text
