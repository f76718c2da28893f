"""The service over GraphQL, on a real store."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from applications import create
from starlette.testclient import TestClient

from api import application, jobs
from api.application import LARGEST
from api.failures import log_path
from api.graphql import limits
from api.service import Service
from api.serving import listen
from graph.errors import StoreBusyError

HOST = "http://localhost"


@pytest.fixture(scope="session")
def web(indexed):
    with TestClient(create(indexed.settings), base_url=HOST) as client:
        yield client


def ask(web, query, **variables):
    return web.post("/graphql", json={"query": query, "variables": variables}).json()


def error(answer):
    assert answer["data"] is None
    return answer["errors"][0]


IMPACT = """
query($range: String, $symbol: String, $line: String, $diff: String) {
  impact(range: $range, symbol: $symbol, line: $line, diff: $diff) {
    head { run commit }
    changed { node { name owners } reasons side }
    reached { node { name path line } distance tier proof { target { name owners } edge line } }
    tests { node { name kind } tier }
    edges { tier count }
    owners { owner changed reached }
    unfollowed
    notes
    truncated
  }
}
"""


def test_impact_of_a_range(web, shop):
    found = ask(web, IMPACT, range="first..second")["data"]["impact"]
    assert found["head"]["commit"] == shop.git("rev-parse", "HEAD").strip()
    assert found["changed"] == [
        {"node": {"name": "tax", "owners": ["@money"]}, "reasons": ["body"], "side": "both"}
    ]
    assert {"total", "Cart.sum"} <= {each["node"]["name"] for each in found["reached"]}
    assert [each["node"] for each in found["tests"]] == [{"name": "test_sum", "kind": "TEST"}]
    proof = next(each for each in found["reached"] if each["node"]["name"] == "Cart.sum")["proof"]
    assert [step["target"] for step in proof] == [
        {"name": "total", "owners": ["@money"]},
        {"name": "Cart.sum", "owners": ["@everyone"]},
    ]


@pytest.mark.parametrize("way", [{"symbol": "tax"}, {"line": "shop/prices.py:6"}])
def test_impact_of_a_symbol_and_a_line(web, way):
    found = ask(web, IMPACT, **way)["data"]["impact"]
    assert [each["node"]["name"] for each in found["tests"]] == ["test_sum"]


def test_impact_of_a_diff(web):
    names = "--- a/shop/cart.py\n+++ b/shop/cart.py\n"
    diff = f"{names}@@ -9,2 +9,2 @@\n def idle():\n-    return 1\n+    return 2\n"
    found = ask(web, IMPACT, diff=diff)["data"]["impact"]
    assert [each["node"]["name"] for each in found["changed"]] == ["idle"]
    assert [each["node"]["name"] for each in found["tests"]] == ["test_idle"]


def body(line, text):
    """A diff of one line of shop/cart.py's bodies."""
    before = {6: "        return sum(total(a) for a in amounts)", 10: "    return 1"}[line]
    return f"--- a/shop/cart.py\n+++ b/shop/cart.py\n@@ -{line} +{line} @@\n-{before}\n+{text}\n"


def test_what_a_service_keeps_of_the_last_tree_changes_no_answer(web, indexed):
    edits = [
        (10, "    return 2"),
        (6, "        return sum(amounts)"),
        (10, "    return idle"),
        (10, "    return 2"),
    ]
    for line, text in edits:
        diff = body(line, text)
        found = ask(web, IMPACT, diff=diff)["data"]["impact"]
        alone = indexed.json("impact", "--diff", "-", input=diff)
        assert [each["node"]["name"] for each in found["changed"]] == [
            each["symbol"]["name"] for each in alone["changed"]
        ]
        assert sorted(each["node"]["name"] for each in found["reached"]) == sorted(
            each["symbol"]["name"] for each in alone["reached"]
        )


def test_questions_at_once_are_all_answered(web):
    """One of them reads by what is kept, the others for themselves."""
    diffs = [body(10, f"    return {number}") for number in range(3, 7)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda diff: ask(web, IMPACT, diff=diff), diffs))
    for answer in answers:
        assert [each["node"]["name"] for each in answer["data"]["impact"]["tests"]] == ["test_idle"]


def test_a_limit_is_said(web):
    found = ask(web, '{ impact(symbol: "RATE", limit: 1) { reached { distance } truncated } }')["data"][
        "impact"
    ]
    assert len(found["reached"]) == 1
    assert found["truncated"]


def test_downwards(web):
    query = '{ impact(symbol: "Cart.sum", direction: DOWN, depth: 1) { reached { node { name } } } }'
    assert {"total"} == {each["node"]["name"] for each in ask(web, query)["data"]["impact"]["reached"]}


def test_nodes_paths_search_and_repositories(web):
    found = ask(
        web,
        """{
          node(name: "tax") { head { run } nodes { key kind sort name path line owners } }
          path(from: "Cart.sum", to: "tax") { direction complete paths { tier steps { edge } } }
          search(query: "tot") { more nodes { name } }
          repositories { name head { run } nodes edges }
        }""",
    )["data"]
    node = found["node"]["nodes"][0]
    assert (node["kind"], node["sort"], node["path"], node["line"]) == (
        "SYMBOL",
        "FUNCTION",
        "shop/prices.py",
        4,
    )
    assert found["path"]["direction"] == "depends"
    assert [step["edge"] for step in found["path"]["paths"][0]["steps"]] == ["CALLS", "CALLS"]
    assert found["search"]["nodes"][0]["name"] == "total"
    assert found["repositories"][0]["name"] == "shop"


def test_owners_of_many_nodes_are_asked_for_once(indexed, monkeypatch):
    asked = []
    real = jobs.OwnersJob.run

    async def counted(job, service, deadline):
        asked.append(len(job.keys))
        return await real(job, service, deadline)

    monkeypatch.setattr(jobs.OwnersJob, "run", counted)
    with TestClient(create(indexed.settings), base_url=HOST) as web:
        ask(web, '{ impact(symbol: "RATE") { reached { node { owners } proof { source { owners } } } } }')
    assert len(asked) <= 2  # one for each level of the query
    assert sum(asked) > 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ impact(symbol: "nowhere") { unfollowed } }', "NOT_FOUND"),
        ('{ impact(range: "no..where") { unfollowed } }', "NOT_FOUND"),
        ('{ impact(diff: "words") { unfollowed } }', "DIFF"),
        ('{ impact(line: "shop/prices.py") { unfollowed } }', "BAD_INPUT"),
        ('{ impact(symbol: "tax", depth: 0) { unfollowed } }', "BAD_INPUT"),
        ('{ impact(symbol: "tax", depth: 1000) { unfollowed } }', "BAD_INPUT"),
        ('{ impact(symbol: "tax", limit: 0) { unfollowed } }', "BAD_INPUT"),
        ('{ impact(symbol: "tax", line: "a:1") { unfollowed } }', "BAD_INPUT"),
        ("{ impact { unfollowed } }", "BAD_INPUT"),
        ('{ path(from: "tax", to: "total", count: 0) { direction } }', "BAD_INPUT"),
        ('{ search(query: "") { more } }', "BAD_INPUT"),
        ('{ node(name: "x", repository: "../up") { head { run } } }', "NOT_FOUND"),
        ("{ nonsense }", "BAD_QUERY"),
        ("{", "BAD_QUERY"),
        ('{ impact(symbol: "tax", tier: SURE) { unfollowed } }', "BAD_QUERY"),
    ],
)
def test_a_bad_question_has_a_code(web, query, code):
    told = error(ask(web, query))
    assert told["extensions"]["code"] == code
    assert told["message"]


def test_an_ambiguous_name_comes_with_its_candidates(maestro, clone):
    clone.commit("Twice", {"a.py": "def same():\n    pass\n", "b.py": "def same():\n    pass\n"})
    maestro.json("index", str(clone.root))
    with TestClient(create(maestro.settings), base_url=HOST) as web:
        told = error(ask(web, '{ impact(symbol: "same") { unfollowed } }'))
    assert told["extensions"]["code"] == "AMBIGUOUS"
    assert told["extensions"]["candidates"] == ["a.py::same", "b.py::same"]


def test_endless_queries_are_refused(web):
    aliases = " ".join(f'a{i}: search(query: "t") {{ more }}' for i in range(limits.ALIASES + 1))
    assert error(ask(web, f"{{ {aliases} }}"))["extensions"]["code"] == "BAD_QUERY"
    tokens = " ".join(["more"] * limits.TOKENS)
    assert error(ask(web, f'{{ search(query: "t") {{ {tokens} }} }}'))["extensions"]["code"] == "BAD_QUERY"


def test_what_went_wrong_inside_is_masked_and_logged(indexed, monkeypatch):
    async def broken(self, *arguments, **options):
        raise RuntimeError("the secret of the house")

    with TestClient(create(indexed.settings), base_url=HOST) as web:
        monkeypatch.setattr(Service, "search", broken)
        told = error(ask(web, '{ search(query: "x") { more } }'))
    assert told["extensions"]["code"] == "INTERNAL"
    assert "secret of the house" not in str(told)
    assert "secret of the house" in log_path(indexed.settings).read_text()


def test_a_late_answer_is_given_up(indexed, monkeypatch):
    async def slow(self, *arguments, **options):
        await asyncio.sleep(30)

    settings = indexed.settings
    object.__setattr__(settings, "deadline", 0.3)
    with TestClient(create(settings), base_url=HOST) as web:
        monkeypatch.setattr(Service, "search", slow)
        begun = time.monotonic()
        told = error(ask(web, '{ search(query: "x") { more } }'))
    assert told["extensions"]["code"] == "DEADLINE"
    assert time.monotonic() - begun < 10


def test_health(web):
    answer = web.get("/health")
    assert answer.status_code == 200
    assert answer.json()["repositories"] == ["shop"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example:7600"}, 403),
        ({"host": "localhost.evil.example"}, 403),
        ({"host": "127.0.0.1@evil.example"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/x-www-form-urlencoded"}, 400),
        ({"content-type": "multipart/form-data; boundary=x"}, 400),
        ({"content-length": str(LARGEST + 1)}, 413),
    ],
)
def test_a_web_page_cannot_ask(web, headers, status):
    answer = web.post(
        "/graphql",
        content='{"query": "{ repositories { name } }"}',
        headers={"content-type": "application/json", **headers},
    )
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:7600", "127.0.0.1:80", "[::1]:7600", "LOCALHOST"])
def test_programs_on_this_machine_can(web, host):
    answer = web.post("/graphql", json={"query": "{ repositories { name } }"}, headers={"host": host})
    assert answer.status_code == 200


def test_nothing_but_post_and_nothing_but_these_places(web):
    assert web.get("/graphql", params={"query": "{ repositories { name } }"}).status_code == 405
    assert web.options("/graphql").status_code == 405
    assert web.get("/").status_code == 404


def test_a_body_that_lies_about_its_size_is_cut_off(web):
    def body():
        for _ in range(LARGEST // (1 << 20) + 2):
            yield b"x" * (1 << 20)

    answer = web.post("/graphql", content=body(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoreBusyError, match="--port"):
            listen("127.0.0.1", taken.getsockname()[1])


def test_it_serves_over_a_real_socket_and_stops(indexed):
    import uvicorn

    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create(indexed.settings), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{address}/health", timeout=30).status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        query = {"query": '{ impact(symbol: "tax") { tests { node { name } } } }'}
        answer = httpx.post(f"{address}/graphql", json=query, timeout=30).json()
        assert answer["data"]["impact"]["tests"] == [{"node": {"name": "test_sum"}}]
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def test_the_committed_schema_is_what_is_served(web):
    from graphql import build_client_schema, build_schema, get_introspection_query, print_schema
    from graphql.utilities import lexicographic_sort_schema

    answer = web.post("/graphql", json={"query": get_introspection_query()}).json()
    served = build_client_schema(answer["data"])
    committed = build_schema((Path(application.__file__).parent / "schema.graphql").read_text())
    shown = [print_schema(lexicographic_sort_schema(each)) for each in (served, committed)]
    assert shown[0] == shown[1]
