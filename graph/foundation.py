"""The first run of a repository: what is known of it is written while the rest is still being read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from graph import claims
from graph.delta import Delta, carried, difference
from graph.errors import StoreError
from graph.facts import Fact, Hyperedge, Node, digests_kept
from graph.incidence import Incidence
from graph.progress import Progress
from graph.reading import Reading
from graph.resolution import Resolution
from graph.schema import NodeKind
from graph.store import Run, Store


async def give_up(store: Store, run: Run, failure: BaseException) -> None:
    """Give back the place of a run that cannot go on; whoever calls raises what it failed with."""
    try:
        await store.abandon(run)
    except StoreError as second:
        # The next run sweeps what this one left; what went wrong first is what people must see.
        failure.add_note(f"The run could not be given up either: {second}")


class Foundation:
    """A first run, from when there is something to write until its head can be flipped.

    Parameters
    ----------
    store : Store
    begin : callable
        Begins the run.
    """

    def __init__(self, store: Store, begin: Callable[[], Awaitable[Run]]) -> None:
        self._store = store
        self._begin = begin
        self._beginning = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._run: Run | None = None
        self._nodes: set[tuple[NodeKind, str]] = set()
        self._edges: set[str] = set()

    async def lay(
        self, reading: Reading, resolver: str, progress: Progress
    ) -> tuple[Resolution, Delta, Run, Incidence]:
        """Write all that is read, and make its arrays.

        A run that cannot go on gives its place back at once.
        """
        with digests_kept():
            return await self._laid(reading, resolver, progress)

    async def _laid(
        self, reading: Reading, resolver: str, progress: Progress
    ) -> tuple[Resolution, Delta, Run, Incidence]:
        writing = asyncio.create_task(self._write_parts(reading))
        holding = asyncio.create_task(self._hold())
        read = reading.resolution()
        tasks: list[asyncio.Future[Any]] = [writing, read, holding]
        try:
            while not read.done():
                pending = [task for task in tasks if not task.done()]
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for each in (writing, holding):
                    if each.done():
                        each.result()  # a store that fails is told of at once, not when all has been read
            holding.cancel()
            resolution = await read
            run = await self._under_way()
            delta, births = difference(None, resolution.batch, run.number)
            assembling = asyncio.create_task(
                asyncio.to_thread(_arrays, resolution, delta, births, run, resolver)
            )
            tasks.append(assembling)
            await writing
            nodes, edges = self._rest(delta)
            await self._store.write(run, nodes, edges, progress)
            return resolution, delta, run, await assembling
        except BaseException as failure:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._run is not None:
                await give_up(self._store, self._run, failure)
            raise

    async def _under_way(self) -> Run:
        async with self._beginning:
            if self._run is None:
                self._run = await self._begin()
            return self._run

    async def _write_parts(self, reading: Reading) -> None:
        async for part in reading.parts():
            run = await self._under_way()
            async with self._writing:
                await self._store.write(run, *self._writable(part))

    async def _hold(self) -> None:
        """Keep the run's place: the type engine can take longer than a claim lasts that nobody renews."""
        while True:
            await asyncio.sleep(claims.SECONDS / 4)
            async with self._writing:
                if self._run is not None:
                    await self._store.hold(self._run)

    def _writable(self, facts: Iterable[Fact]) -> tuple[list[Node], list[Hyperedge]]:
        """What of these is new, and ties nodes together that are written by now or with it."""
        nodes, edges = [], []
        told = []
        for fact in facts:
            if isinstance(fact, Hyperedge):
                told.append(fact)
            elif (place := (fact.kind, fact.key)) not in self._nodes:
                self._nodes.add(place)
                nodes.append(fact)
        for edge in told:
            if all((member.kind, member.key) in self._nodes for member in edge.members):
                digest = edge.digest()
                if digest not in self._edges:
                    self._edges.add(digest)
                    edges.append(edge)
        return nodes, edges

    def _rest(self, delta: Delta) -> tuple[list[Node], list[Hyperedge]]:
        """What of the whole is still to be written."""
        nodes = [node for node in delta.nodes if (node.kind, node.key) not in self._nodes]
        return nodes, [edge for edge in delta.created if edge.digest() not in self._edges]


def _arrays(resolution: Resolution, delta: Delta, births: list[int], run: Run, resolver: str) -> Incidence:
    return carried(
        None,
        resolution.batch,
        delta,
        births,
        scope=run.scope,
        head=run.number,
        commit=run.commit,
        tree=run.tree,
        resolver=resolver,
    )
