"""What a service of several workers does once before they are forked, so that it is in memory once.

Modules that come with the first question, what the interpreter notes in code that it has run, and the arrays
of every repository: whatever is there before the fork is shared, and what a worker makes it has to itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.types import ASGIApp, Message

from graph.facts import Scope
from graph.incidence import Incidence
from graph.schema import NodeKind

ASKED = 12
"""Symbols that are asked about; the interpreter settles how code runs after the eighth time."""
LISTED = 20
"""Items of each answer at most: a large answer would leave gaps in memory behind."""
_NODE = "{ key kind sort name path line owners }"
_REACHED = (
    f"{{ node {_NODE} distance tier "
    f"proof {{ source {_NODE} target {_NODE} edge tier form path line side }} }}"
)
_QUESTION = (
    "query($symbol: String!, $repository: String!, $limit: Int!) { "
    "impact(symbol: $symbol, repository: $repository, limit: $limit) { head { run commit at } repository "
    f"reached {_REACHED} tests {_REACHED} edges {{ tier count }} possible {{ tier count }} "
    "owners { owner changed reached symbols } hubs { dependents } notes } "
    f"node(name: $symbol, repository: $repository) {{ nodes {_NODE} }} }}"
)
_REPOSITORIES = "{ repositories { name head { run commit } nodes edges } }"


async def rehearse(app: ASGIApp, kept: dict[Scope, Incidence]) -> None:
    """Ask a service what it will be asked; `kept` is where it keeps the arrays that it opened.

    All repositories are opened, and the largest is asked about.
    """
    await _ask(app, {"query": _REPOSITORIES})
    if not kept:
        return
    scope, arrays = max(kept.items(), key=lambda item: item[1].edge_count)
    for symbol in _symbols(arrays):
        variables = {"symbol": symbol, "repository": scope.repository, "limit": LISTED}
        await _ask(app, {"query": _QUESTION, "variables": variables})


def _symbols(arrays: Incidence) -> Iterator[str]:
    """Keys of symbols from all over a repository."""
    nodes = arrays.nodes_of(NodeKind.SYMBOL)
    for node in nodes[:: max(1, len(nodes) // ASKED)][:ASKED].tolist():
        yield arrays.keys[node]


async def _ask(app: ASGIApp, question: dict[str, object]) -> None:
    """One question as a program on this machine sends it. Who asks later is told what is wrong."""
    body = msgspec.json.encode(question)
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass  # the answer is nobody's

    await app(scope, receive, send)
