"""The front of a service of several processes: it speaks HTTP and GraphQL, and readers do the work.

    front  = one process; takes questions, looks how the store stands, shapes answers
    reader = works on jobs: cones, changes, selections, advice; see `api.readers`

A job goes to the reader that has least to do. One that is about a change goes, among those, to the one that
read that repository last, since it may still know the tree. A reader that dies takes no question with it:
another works on it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio

from api.frames import Pipe, packed, unpacked
from api.jobs import Job
from api.settings import Settings
from graph.errors import DeadlineError, MaestroError
from graph.facts import Scope
from graph.store import Standing, Store, Way

T = TypeVar("T")
Seen = dict[Scope, Standing]
_TRIES = 2
"""A job that ended so many readers is not given to another: it may be what ends them."""


class _GoneError(Exception):
    """A reader ended before it answered."""


class _Reader:
    """A reader, as its crew knows it."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self.place: str | None = None
        """The repository that it last read trees of."""
        self.asked = 0.0

    @property
    def load(self) -> int:
        """How many jobs it has, those that nobody waits for any more included."""
        return len(self._waiting)

    async def listen(self, way: Way) -> None:
        """Tell it where the store is, then hear what it answers until it is gone."""
        await self._pipe.send(0, packed(way))
        try:
            while (message := await self._pipe.receive()) is not None:
                number, data = message
                future = self._waiting.pop(number)
                if not future.done():
                    future.set_result(data)
        finally:
            self._pipe.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_GoneError())
            self._waiting.clear()

    async def work(self, job: Job[T], deadline: float, seen: Seen) -> T:
        """Have it work on a job."""
        asked, number = packed((job, deadline, seen)), next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.place, self.asked = job.place or self.place, time.monotonic()
        await self._pipe.send(number, asked)
        data = await future
        # Packed until whoever asked goes on: an answer takes several times the room then.
        well, value = unpacked(data)
        if not well:
            raise value
        answer: T = value
        return answer


class Crew:
    """The readers that are there now. What a service answers it answers too, see `api.jobs.Answering`."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self._store = store
        self._readers: list[_Reader] = []
        self._listening: set[asyncio.Task[None]] = set()
        self._come = asyncio.Event()

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, registration: socket.socket) -> AsyncIterator[Crew]:
        """Connect to the store, and take readers in as they come.

        Parameters
        ----------
        registration : socket.socket
            A datagram socket: each message on it is one end of a reader's socket pair.
        """
        loop = asyncio.get_running_loop()
        registration.setblocking(False)
        async with Store.open(settings.store()) as store:
            crew = Crew(settings, store)
            loop.add_reader(registration, crew._admit, registration)
            try:
                yield crew
            finally:
                loop.remove_reader(registration)
                for task in crew._listening:
                    task.cancel()
                await asyncio.gather(*crew._listening, return_exceptions=True)

    def _admit(self, registration: socket.socket) -> None:
        try:
            _, ends, _, _ = socket.recv_fds(registration, 16, 1)
        except BlockingIOError:
            return
        for end in ends:
            os.set_inheritable(end, False)
            task = asyncio.ensure_future(self._hear(socket.socket(fileno=end)))
            self._listening.add(task)
            task.add_done_callback(self._listening.discard)

    async def _hear(self, end: socket.socket) -> None:
        reader = _Reader(await Pipe.over(end))
        self._readers.append(reader)
        self._come.set()
        try:
            await reader.listen(self._store.way)
        finally:
            self._readers.remove(reader)
            if not self._readers:
                self._come.clear()

    async def answer(self, job: Job[T], deadline: float) -> T:
        """What came of a job.

        Raises
        ------
        DeadlineError
            No reader was there in time.
        MaestroError
            What it came to, or that readers ended over it.
        """
        seen = {standing.scope: standing for standing in await self._store.repositories()}
        for _ in range(_TRIES):
            reader = await self._choose(job.place, deadline)
            try:
                return await reader.work(job, deadline, seen)
            except _GoneError:
                continue
        raise MaestroError(
            f"{_TRIES} processes ended while they worked on this.",
            "What they said is in the service's own output; ask for less if it was memory.",
        )

    async def _choose(self, place: str | None, deadline: float) -> _Reader:
        try:
            with anyio.fail_after(deadline - time.monotonic()):
                while not self._readers:  # one that came may be gone before it is this one's turn
                    await self._come.wait()
        except TimeoutError:
            raise DeadlineError(
                "No process was there in time to work on the question.", "Ask again in a moment."
            ) from None
        return min(
            self._readers,
            key=lambda reader: (reader.load, place is not None and reader.place != place, reader.asked),
        )
