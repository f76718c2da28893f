"""What a service of several processes does once before its readers are forked, so that it is in memory once.

Modules that come with the first question, what the interpreter notes in code that it has run, and the arrays
of every repository: whatever is there before the fork is shared, and what a reader makes it has to itself.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from api.frames import Pipe, packed, unpacked
from api.jobs import ImpactJob, Job, NodeJob, PathsJob, SearchJob
from api.questions import Question, Subject
from api.readers import serve
from api.service import Service
from api.settings import Settings
from graph.facts import Scope
from graph.incidence import Incidence
from graph.schema import NodeKind

ASKED = 12
"""Symbols that are asked about; the interpreter settles how code runs after the eighth time."""
LISTED = 20
"""Items of each answer at most: a large answer would leave gaps in memory behind."""
_LATER = ("graph.incidence_file", "graph.overlay", "numpy.ma")
"""Modules that come with the first questions."""


async def rehearse(settings: Settings) -> dict[Scope, Incidence]:
    """Open the arrays of all repositories, and work on questions about the largest as a reader does.

    It starts the store, and fails in words where there is none.
    """
    for name in _LATER:
        import_module(name)
    async with Service.open(settings) as service:
        await service.status()
        if service.kept:
            scope, arrays = max(service.kept.items(), key=lambda item: item[1].edge_count)
            # What goes wrong here is told to whoever asks it later.
            await _work(service, list(_jobs(scope, arrays)))
        return service.kept


async def _work(service: Service, jobs: list[Job[Any]]) -> list[tuple[bool, Any]]:
    """What came of jobs at the other end of a pipe: whether it went well, and the answer or error."""
    seen = {standing.scope: standing for standing in await service.standings()}
    asking, working = [await Pipe.over(end) for end in socket.socketpair()]
    serving = asyncio.create_task(serve(service.settings, working, None, service.kept))
    try:
        await asking.send(0, packed(service.store.way))
        return [await _asked(asking, packed((job, math.inf, seen))) for job in jobs]
    finally:
        asking.close()
        await serving
        working.close()


async def _asked(asking: Pipe, data: bytes) -> tuple[bool, Any]:
    await asking.send(1, data)
    message = await asking.receive()
    assert message is not None  # the other end is this process's own
    answer: tuple[bool, Any] = unpacked(message[1])
    return answer


def _jobs(scope: Scope, arrays: Incidence) -> Iterator[Job[Any]]:
    """Questions about symbols from all over a repository."""
    nodes = arrays.nodes_of(NodeKind.SYMBOL)
    before = ""
    for node in nodes[:: max(1, len(nodes) // ASKED)][:ASKED].tolist():
        key = arrays.keys[node]
        yield ImpactJob(Question(Subject.SYMBOL, key, repository=scope.repository), LISTED)
        yield NodeJob(key, scope.repository)
        yield SearchJob(arrays.name(node), scope.repository, LISTED, "")
        if before:
            yield PathsJob(before, key, scope.repository, 1)
        before = key
