"""Recordings that programs send to a service: taken in, asked about, and refused."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import recordings_made as made
import uvicorn
from applications import create
from maestro_selection import recording
from starlette.testclient import TestClient

from api import application
from api.application import BYTES
from api.serving import listen
from graph.recordings import LIMIT

HOST = "http://localhost"
PLACE = "/repositories/shop/recordings"
SUM, IDLE = "tests/test_cart.py::test_sum", "tests/test_cart.py::test_idle"
SELECTION = """query($diff: String) {
  testSelection(repository: "shop", diff: $diff, rev: "HEAD") { selected { test } skipped }
}"""
IDLE_DIFF = """--- a/shop/cart.py
+++ b/shop/cart.py
@@ -10,1 +10,1 @@
-    return 1
+    return 2
"""
PLUGIN = Path(__file__).resolve().parents[2] / "clients" / "pytest-maestro" / "src"


def recorded(clone, *tests):
    """What tests of the shop did at the commit that is checked out."""
    ran = {
        SUM: made.ran(SUM, {"tests/test_cart.py": [5], "shop/cart.py": [6], "shop/prices.py": [6, 10]}),
        IDLE: made.ran(IDLE, {"tests/test_cart.py": [9], "shop/cart.py": [10]}),
    }
    files = {path: (clone.root / path).read_text() for path in clone.git("ls-files").split()}
    commit = clone.git("rev-parse", "HEAD").strip()
    roots = clone.git("rev-list", "--max-parents=0", "HEAD").split()
    return made.data(made.recording(files, [ran[name] for name in tests], commit=commit, roots=roots))


@pytest.fixture
def web(maestro, clone):
    maestro.environment["MAESTRO_ENGINE"] = "off"
    maestro.json("index", str(clone.root))
    with TestClient(create(maestro.settings, uploads=True), base_url=HOST) as client:
        yield client


@pytest.fixture(scope="module")
def refusing(indexed):
    """A service that is sent nothing it could take: many tests ask it."""
    with TestClient(create(indexed.settings, uploads=True), base_url=HOST) as client:
        yield client


def send(web, data, place=PLACE, **headers):
    return web.post(place, content=data, headers={"content-type": BYTES, **headers})


def selection(web, diff=IDLE_DIFF):
    answer = web.post("/graphql", json={"query": SELECTION, "variables": {"diff": diff}}).json()
    return answer["data"] and answer["data"]["testSelection"]


def refusal(answer):
    (error,) = answer.json()["errors"]
    return error["extensions"]["code"], error["message"], error["extensions"]["hint"]


def test_a_recording_that_is_sent_is_asked_about_at_once(web, clone):
    assert selection(web) is None
    data = recorded(clone, SUM, IDLE)
    told = send(web, data).json()
    assert told["maestro"] == {"shape": "received", "version": 1}
    assert (told["repository"], told["recordings"]["tests"]) == ("shop", 2)
    assert told["recordings"]["recordings"][0]["distance"] == "of this very commit"
    assert selection(web) == {"selected": [{"test": IDLE}], "skipped": [SUM]}
    again = send(web, data).json()["recordings"]
    assert (again["created"], again["retired"], again["kept"]) == (0, 0, 1)


def test_shards_that_are_sent_at_once_are_all_taken(web, clone):
    shards = [recorded(clone, SUM), recorded(clone, IDLE)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda data: send(web, data), shards))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert max(answer.json()["recordings"]["kept"] for answer in answers) == 2
    assert selection(web)["skipped"] == [SUM]


def foreign(clone):
    return made.data(made.recording({"other.py": "x = 1\n"}, [made.ran("t.py::test", {"other.py": [1]})]))


def newer(clone):
    ours = f'"version":{recording.VERSION}'.encode()
    return gzip.compress(gzip.decompress(recorded(clone, SUM)).replace(ours, b'"version":99', 1))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (foreign, "another repository"),
        (lambda clone: recorded(clone, SUM)[:-20], "that was sent is"),
        (newer, "99"),
        (lambda clone: b"", "sent"),
        (lambda clone: b"\x1f\x8b" + b"x" * 50, "that was sent is"),
        (lambda clone: b"TN:\nSF:shop/cart.py\nDA:6,1\nend_of_record\n", "which commit"),
    ],
    ids=["foreign", "truncated", "newer", "empty", "damaged", "report"],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_kept(refusing, shop, data, told):
    answer = send(refusing, data(shop))
    code, message, hint = refusal(answer)
    assert (answer.status_code, code) == (422, "RECORDING")
    assert told in message and hint
    assert selection(refusing) is None


def test_an_unknown_repository_another_content_and_another_place_are_refused(refusing, shop):
    web, data = refusing, recorded(shop, SUM)
    assert refusal(send(web, data, "/repositories/shops/recordings"))[0] == "NOT_FOUND"
    assert send(web, data, "/repositories/shop/other").status_code == 404
    assert web.get(PLACE).status_code == 405
    assert refusal(web.post(PLACE, json={}))[1] == "Only the bytes of a file are taken here."
    assert send(web, data, origin="http://evil.example").status_code == 403
    assert send(web, data, **{"content-length": str(LIMIT + 1)}).status_code == 413


def test_a_body_that_is_longer_than_it_said_is_cut_off(refusing, monkeypatch):
    monkeypatch.setattr(application, "UPLOAD", application.Takes(BYTES, 1000, "Send less."))
    answer = send(refusing, iter([b"x" * 600, b"x" * 600]))
    assert (answer.status_code, refusal(answer)[2]) == (413, "Send less.")


def test_a_service_takes_nothing_unless_it_was_started_so(indexed, shop):
    with TestClient(create(indexed.settings), base_url=HOST) as web:
        answer = send(web, recorded(shop, SUM))
        assert (answer.status_code, refusal(answer)[2]) == (403, "Start it with: maestro serve --uploads")
        assert selection(web) is None


@pytest.fixture
def serving(maestro, clone):
    """A service at an address, as `maestro serve --uploads` runs it."""
    maestro.environment["MAESTRO_ENGINE"] = "off"
    maestro.json("index", str(clone.root))
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(create(maestro.settings, uploads=True), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < end:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(60)


def test_a_recorded_run_is_sent_and_the_next_run_selects_by_it(serving, clone):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    environment = {**kept, "PYTHONPATH": f"{PLUGIN}{os.pathsep}{clone.root}", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*words):
        plugin = ("-p", "pytest_maestro.plugin", "-p", "no:cacheprovider", "--maestro-url", serving)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugin, *words],
            cwd=clone.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.stdout + done.stderr

    assert "where 2 tests of shop are recorded now" in run("--maestro-record")
    cart = clone.root / "shop" / "cart.py"
    cart.write_text(cart.read_text().replace("return 1", "return 1 + 0"))
    assert "1 passed, 1 deselected" in run("--maestro", "-v")
    unknown = run("--maestro-record", "--maestro-repository", "other")
    assert "2 passed" in unknown and "it knows shop; name one of these" in unknown
