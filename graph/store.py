"""The store: the hypergraph in a database, embedded or Neo4j, behind one set of statements.

    async with Store.open(settings) as store:
        await store.migrate()
        run = await store.begin(scope, commit=..., tree=..., families=("code",))
        await store.write(run, nodes, edges)
        await store.retire(run, [(EdgeKind.CALLS, "digest@run")])
        await store.flip(run)                      # only now does anybody see any of it

A hyperedge is valid from one run to another (`from`, `to`); readers take what is valid at the head that
they started with. What an unfinished run wrote is after every head, and is swept at the next `begin`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from graph import blank, claims, descriptions, embedded, migrations, packing, resumption, upkeep, writing
from graph.bolt import Address, Line, Page, Row, Transaction
from graph.claims import Claim, Owner
from graph.cypher import Filling
from graph.errors import NotFoundError, StoreBusyError, StoreError
from graph.facts import Fact, Hyperedge, Node, Scope
from graph.java import DATABASE
from graph.progress import Progress, silent
from graph.resumption import Remains
from graph.schema import EDGES, EdgeKind, NodeKind
from graph.settings import StoreSettings
from graph.upkeep import Counts, Dangling, Pruned, Standing

__all__ = ["Counts", "Dangling", "Head", "Pruned", "Run", "Standing", "Store", "StoreSettings", "Way"]


_EMBEDDED_RETRY = 3.0
"""An embedded server that is gone comes back at another port, so that waiting for it is in vain."""


class Head(NamedTuple):
    """The run at which a family of a repository's facts stands."""

    number: int
    commit: str
    tree: str
    resolver: str
    """Fingerprint of the resolver, as it was given to `begin`."""
    at: int
    """When the head was flipped to it: milliseconds since 1970, by the server's clock."""
    valid: dict[EdgeKind, int] | None = None
    """How many hyperedges of each kind were valid at it; empty where the run's writer did not say. None: it
    was a writer that did not note what it ended where an index finds it."""


class Way(NamedTuple):
    """Where the server of an open store is, and what it calls itself."""

    address: Address
    agent: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way. Its facts are valid from `number`, once the head is flipped to it."""

    scope: Scope
    number: int
    commit: str
    tree: str
    families: tuple[str, ...]
    heads: tuple[str, ...]
    claim: Claim
    first: bool = False
    """Whether the repository was unknown, and none of its nodes can be expected to be there."""
    remains: Remains = field(default_factory=Remains, repr=False)
    """What it did before it broke off, where it goes on."""


class Store:
    """An open store. One instance writes a repository at a time; reading is free."""

    def __init__(self, line: Line, owner: Owner) -> None:
        self._line = line
        self._owner = owner

    @staticmethod
    @asynccontextmanager
    async def open(settings: StoreSettings) -> AsyncIterator[Store]:
        """Connect; without an address the embedded server is joined or started first.

        Raises
        ------
        StoreUnavailableError, StoreBusyError, DiskError
            No server can be had; the message says why and shows its last words.
        PolicyError, InputError
            The settings ask for what is refused, or make no sense.
        """
        settings.check()
        if settings.uri is not None:
            database = settings.database or None
            address = Address(
                settings.uri, settings.user, settings.password, database, settings.retry_seconds
            )
            async with _held(await Line.open(address)) as store:
                yield store
            return
        seat = await asyncio.to_thread(embedded.join, settings, blank.find)
        try:
            patience = min(settings.retry_seconds, _EMBEDDED_RETRY)
            address = Address(seat.uri, seat.user, seat.secret, DATABASE, patience, seat.log)
            async with _held(await Line.open(address)) as store:
                yield store
        finally:
            await asyncio.shield(asyncio.to_thread(embedded.leave, settings, seat))

    @staticmethod
    def beside(way: Way) -> AbstractAsyncContextManager[Store]:
        """The store that another process holds open, over a line of one's own: connected when first asked.

        It is there for as long as that process holds it (the embedded server ends with its last client).
        """
        return _held(Line(way.address, way.agent))

    @property
    def way(self) -> Way:
        """For other processes of this machine, see `beside`; it holds the password."""
        return Way(self._line.address, self._line.agent)

    @property
    def server(self) -> str:
        """What the server calls itself, and where it is."""
        return f"{self._line.agent} at {self._line.address.uri}"

    async def migrate(self) -> bool:
        """Bring the store's schema up to this code's; True where something was done. SchemaError if newer."""
        return await migrations.migrate(self._line, self._owner)

    async def read(self, name: str, filling: Filling = Filling(), **params: Any) -> list[Row]:  # noqa: B008
        """All rows of a reading statement of `cypher/`."""
        return await self._line.read(lambda tx: tx.rows(name, filling, params))

    async def head(self, scope: Scope, family: str = "code") -> Head | None:
        """Where a family stands; None where it was never indexed."""
        state = await self._repository(scope)
        number = _heads(state).get(family) if state else None
        if number is None:
            return None
        rows = await self.read("runs/run", key=scope.run(number))
        if not rows:
            raise StoreError(
                f"Run {number} of {scope} is missing, and its head stands on it.", "Index it anew."
            )
        row = rows[0]
        said = row["commit"], row["tree"], row["resolver"], row["at"]
        return Head(number, *said, valid_of(row["valid"]))

    async def begin(
        self, scope: Scope, *, commit: str, tree: str, families: Sequence[str], resolver: str = ""
    ) -> Run:
        """Begin a run: become the repository's only writer, and sweep what a broken run left.

        A broken run of the same commit, tree, families and resolver is gone on with instead: what it wrote
        is not written again.

        Raises
        ------
        StoreBusyError
            Somebody else writes this repository; the message names them.
        """
        packing.check_scope(scope)
        known = {spec.family for spec in EDGES.values()}
        if not families or not set(families) <= known:
            raise StoreError(f"No families of facts are called {', '.join(families) or 'nothing'}.")
        claim = await claims.take(self._line, claims.writer(scope), self._owner)
        try:
            state = await self._repository(scope)
            number = (state["head"] if state else 0) + 1
            heads = tuple(state["heads"] if state else ())
            run = Run(scope, number, commit, tree, tuple(families), heads, claim, first=state is None)
            if state and state["running"] is not None:
                if state["running"] == number and await self._same(run, resolver):
                    run = replace(run, remains=await resumption.remains(self._line, claim, scope, number))
                else:
                    await upkeep.sweep(self._line, claim, scope, state["running"])
            await self._start(run, resolver)
        except BaseException:
            await asyncio.shield(claim.release(self._line))
            raise
        return run

    async def _same(self, run: Run, resolver: str) -> bool:
        """Whether the run of this number that broke off was to write the same, and noted what it ended."""
        rows = await self.read("runs/run", key=run.scope.run(run.number))
        wanted = {"commit": run.commit, "tree": run.tree, "resolver": resolver}
        wanted["family"] = " ".join(run.families)
        noted = bool(rows) and rows[0]["valid"] is not None
        return noted and all(rows[0][name] == value for name, value in wanted.items())

    async def _start(self, run: Run, resolver: str) -> None:
        params = {
            "key": run.scope.key,
            "name": run.scope.repository,
            "run_key": run.scope.run(run.number),
            "number": run.number,
            "commit": run.commit,
            "tree": run.tree,
            "family": " ".join(run.families),
            "resolver": resolver,
        }

        async def work(transaction: Transaction) -> None:
            await run.claim.renew(transaction)
            await transaction.rows("runs/start", Filling(), params)

        await self._line.write(work)

    async def write(
        self, run: Run, nodes: Iterable[Node], edges: Iterable[Hyperedge], progress: Progress = silent
    ) -> None:
        """Write nodes, then hyperedges with their members, in batches that are each written whole or not.

        A node that is there is kept, and what describes it said anew where it differs. Nothing is visible
        before `flip`.

        Raises
        ------
        NotFoundError
            A hyperedge names a node that is neither stored nor given.
        InputError
            A fact does not fit the schema.
        """
        place = writing.Place(self._line, run.claim, run.scope, run.number, run.first)
        await writing.write_nodes(place, list(nodes), progress)
        missing = run.remains.unwritten(run.scope, run.number, list(edges))
        await writing.write_edges(place, missing, progress)

    async def hold(self, run: Run) -> None:
        """Keep the place of a run that has nothing to write for a while.

        Raises
        ------
        StoreBusyError
            Another process has taken over.
        """
        await self._line.write(run.claim.renew)

    async def retire(self, run: Run, ids: Iterable[tuple[EdgeKind, str]]) -> None:
        """End the validity of hyperedges (`digest@run`) at this run.

        Raises
        ------
        NotFoundError
            One of them is not there or has ended already.
        """
        by_kind: dict[EdgeKind, list[str]] = {}
        for kind, outer in ids:
            by_kind.setdefault(kind, []).append(packing.inner_id(run.scope, outer))
        ending = {"run": run.number, "ending": packing.one_run(run.scope, run.number)}
        for kind, inner in by_kind.items():
            for batch in upkeep.chunks(run.remains.valid(kind, inner), packing.ROWS):

                async def work(
                    transaction: Transaction, kind: EdgeKind = kind, batch: list[str] = batch
                ) -> None:
                    await run.claim.renew(transaction)
                    rows = await transaction.rows(
                        "facts/retire", Filling(edge=kind), {"ids": batch, **ending}
                    )
                    if rows[0]["retired"] != len(batch):
                        raise NotFoundError(
                            f"Of {len(batch)} {kind} that were to end, {rows[0]['retired']} were valid.",
                            "The arrays do not fit the store: `maestro doctor --repair` builds them anew.",
                        )

                await self._line.write(work)

    async def flip(self, run: Run, valid: Mapping[EdgeKind, int] | None = None) -> Head:
        """Make the run visible: the repository's head, and its families', move to it in one transaction.

        Parameters
        ----------
        valid : mapping, optional
            How many hyperedges of each kind of the families are valid from now on. Who brings arrays of an
            earlier head up to this one has as many then, or did not see all that moved.
        """
        heads = {**_heads({"heads": run.heads}), **dict.fromkeys(run.families, run.number)}
        params = {
            "key": run.scope.key,
            "run_key": run.scope.run(run.number),
            "number": run.number,
            "commit": run.commit,
            "heads": [f"{family}={number}" for family, number in sorted(heads.items())],
            "valid": [f"{kind}={count}" for kind, count in sorted((valid or {}).items())],
        }

        async def work(transaction: Transaction) -> None:
            await run.claim.renew(transaction)
            if not await transaction.rows("runs/flip", Filling(), params):
                raise StoreBusyError(
                    f"Run {run.number} of {run.scope} is not the one under way any more.", "Run it again."
                )

        await run.remains.undo(self._line, run.claim)
        await self._line.write(work)
        await run.claim.release(self._line)
        head = await self.head(run.scope, run.families[0])
        assert head is not None
        return head

    async def abandon(self, run: Run) -> None:
        """Give a run up: sweep what it wrote and let others write."""
        await upkeep.sweep(self._line, run.claim, run.scope, run.number)
        await run.claim.release(self._line)

    async def sweep(self, scope: Scope) -> int:
        """Remove what an unfinished run left, if any; how many hyperedges that were."""
        claim = await claims.take(self._line, claims.writer(scope), self._owner)
        try:
            state = await self._repository(scope)
            if not state or state["running"] is None:
                return 0
            return await upkeep.sweep(self._line, claim, scope, state["running"])
        finally:
            await asyncio.shield(claim.release(self._line))

    async def export(self, scope: Scope, family: str, head: int) -> AsyncIterator[tuple[Fact, int]]:
        """Facts of a family that are valid at a head: hyperedges first, then the nodes that they name.

        Each comes with the run that it is valid from (0 for a node). They are what was written: their
        digests are the same.
        """
        async for page in self.pages(scope, family, head):
            for fact in page:
                yield fact

    async def pages(self, scope: Scope, family: str, head: int) -> AsyncIterator[Sequence[tuple[Fact, int]]]:
        """What `export` yields, some hundreds at a time: cheaper for who takes all."""
        kinds = [spec.kind for spec in EDGES.values() if spec.family == family and spec.live]
        params = {"prefix": packing.all_runs(scope), "head": head}
        wanted = [("facts/export_edges", Filling(edge=kind), params) for kind in kinds]
        named: dict[NodeKind, set[str]] = {}
        async with self._line.reading(wanted) as rows:
            async for place, page in rows:
                kind = kinds[place]
                edges = [
                    (packing.read_edge(kind, scope, values, members), born) for born, values, members in page
                ]
                for edge, _ in edges:
                    for member in edge.members:
                        named.setdefault(member.kind, set()).add(member.key)
                yield edges
        parts = [
            (kind, [packing.plain(key) for key in batch])
            for kind, keys in named.items()
            for batch in upkeep.chunks(sorted(keys), packing.ROWS)
        ]
        asked = [("facts/known_nodes", Filling(kind), {"keys": keys}) for kind, keys in parts]
        async with self._line.reading(asked) as rows:
            async for place, page in rows:
                label = parts[place][0]
                described = ((key, descriptions.at(props, head)) for key, props in page)
                yield [(packing.read_node(label, key, props), 0) for key, props in described]

    def reading(
        self, statements: Iterable[tuple[str, Filling, Mapping[str, Any]]]
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[int, Page]]]:
        """Rows of reading statements in pages, each with the place of its statement, in one transaction."""
        return self._line.reading(statements)

    @asynccontextmanager
    async def claimed(self, scope: Scope) -> AsyncIterator[tuple[Line, Claim]]:
        """Be a repository's only writer for a while: the line, and the claim that writing must renew."""
        claim = await claims.take(self._line, claims.writer(scope), self._owner)
        try:
            yield self._line, claim
        finally:
            await asyncio.shield(claim.release(self._line))

    async def repositories(self) -> list[Standing]:
        """Every repository in the store, by key, and whether a run is under way or broke off."""
        return await upkeep.repositories(self._line)

    async def counts(self, scope: Scope) -> Counts:
        """How many nodes and hyperedges of each live kind a repository has."""
        state = await self._repository(scope)
        return await upkeep.counts(self._line, scope, state["head"] if state else 0)

    async def dangling(self, scope: Scope) -> list[Dangling]:
        """Hyperedges that lack a required role: there are none unless somebody else wrote to the store."""
        return await upkeep.dangling(self._line, scope)

    async def prune(self, scope: Scope, *, keep: int, dry_run: bool = False) -> Pruned:
        """Delete facts that were retired more than `keep` runs before the head, and nodes left alone."""
        claim = await claims.take(self._line, claims.writer(scope), self._owner)
        try:
            state = await self._repository(scope)
            if not state:
                raise NotFoundError(f"{scope} is not in the store.", "`maestro status` lists what is.")
            horizon = state["head"] - keep
            # The head of a family that has not moved since can be told, however long ago that was.
            described = min([horizon, *_heads(state).values()])
            return await upkeep.prune(self._line, claim, scope, horizon, dry_run, described)
        finally:
            await asyncio.shield(claim.release(self._line))

    async def forget(self, scope: Scope) -> int:
        """Delete a repository and all its facts; how many hyperedges those were."""
        claim = await claims.take(self._line, claims.writer(scope), self._owner)
        try:
            return await upkeep.forget(self._line, claim, scope)
        finally:
            await asyncio.shield(claim.release(self._line))

    async def _repository(self, scope: Scope) -> Row | None:
        rows = await self.read("runs/repository", key=scope.key)
        return rows[0] if rows else None


@asynccontextmanager
async def _held(line: Line) -> AsyncIterator[Store]:
    owner = Owner()
    try:
        yield Store(line, owner)
    finally:
        await line.close()
        owner.leave()


def valid_of(stored: list[str] | None) -> dict[EdgeKind, int] | None:
    """`Head.valid` as it is stored."""
    if stored is None:
        return None
    pairs = (entry.partition("=") for entry in stored)
    return {EdgeKind(kind): int(count) for kind, _, count in pairs}


def _heads(state: Row) -> dict[str, int]:
    pairs = (entry.partition("=") for entry in state["heads"] or ())
    return {family: int(number) for family, _, number in pairs}
