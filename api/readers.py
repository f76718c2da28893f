"""A reader: a process of a service that works on jobs, and never speaks to anybody but its front.

It is forked from a process that has loaded all it needs, and touches only what jobs need: HTTP and
GraphQL are left to the front (`api.crew`). It connects to the store itself where a job asks for more
than arrays hold.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

from api.failures import masked
from api.frames import Pipe, packed, unpacked
from api.jobs import Local
from api.service import Service
from api.settings import Settings
from graph.facts import Scope
from graph.incidence import Incidence
from graph.offload import at_once, beside
from graph.residence import Residence
from graph.store import Store
from graph.workspace import Workspace


def work(
    settings: Settings,
    registration: socket.socket,
    kept: dict[Scope, Incidence],
    ready: Callable[[], None],
) -> None:
    """Work for one front after another, until SIGTERM.

    Parameters
    ----------
    registration : socket.socket
        A datagram socket that leads to the front.
    kept : dict
        Arrays that were opened already.
    ready : callable
        Called once a front has been told.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for who looks after the processes
    signal.signal(signal.SIGTERM, _leave)
    asyncio.run(_work(settings, registration, kept, ready))


def _leave(number: int, frame: FrameType | None) -> None:
    """In the midst of a computation too: whoever asked is gone."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


async def _work(
    settings: Settings,
    registration: socket.socket,
    kept: dict[Scope, Incidence],
    ready: Callable[[], None],
) -> None:
    with Residence(settings.engine_idle) as residence:
        while True:
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(registration, [b"reader"], [theirs.fileno()])
            pipe = await Pipe.over(ours)
            ready()
            try:
                await serve(settings, pipe, residence, kept)
            finally:
                pipe.close()


async def serve(
    settings: Settings, pipe: Pipe, residence: Residence | None, kept: dict[Scope, Incidence]
) -> None:
    """Work for one front, until it is gone."""
    begin = await pipe.receive()
    if begin is None:
        return
    async with Store.beside(unpacked(begin[1])) as store:
        service = Service(settings, store, Workspace(settings.data), beside, kept, residence)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while (message := await pipe.receive()) is not None:
                task = asyncio.create_task(_answer(service, pipe, *message))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()


async def _answer(service: Service, pipe: Pipe, number: int, data: bytes) -> None:
    try:
        job, deadline, seen = unpacked(data)
        # Arrays are asked one question after another: two at once would take as long and twice the memory.
        local = Local(replace(service, seen=seen), at_once)
        answer = packed((True, await local.answer(job, deadline)))
    except Exception as error:
        answer = packed((False, masked(error, service.settings)))
    await pipe.send(number, answer)
