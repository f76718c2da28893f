"""Where settings, store and workspace meet: every command and GraphQL field goes through here."""

from __future__ import annotations

import difflib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from api import documents, earlier, reviewing, selection, translation
from api.ahead import Ahead
from api.clones import check_name, check_same_clone, clone_of, remember_clone, repository_name, room
from api.questions import Question, Subject
from api.settings import Settings
from graph import indexing, judgement
from graph.adjacency import Direction
from graph.changes import Change, read_patch, read_revisions
from graph.errors import AmbiguousError, InputError, MaestroError, NotFoundError
from graph.facts import Scope
from graph.incidence import Incidence
from graph.ingest.clone import locate
from graph.ingest.git import Mirror
from graph.mapping import intact
from graph.offload import Offload, at_once
from graph.progress import Progress, silent
from graph.queries import edges, impact, nodes, paths, search
from graph.queries.proofs import Proofs
from graph.reading import Reading
from graph.residence import Residence
from graph.schema import DEFAULT_TIER, Tier
from graph.store import Standing, Store
from graph.workspace import Workspace

COLUMNS = ("file", "line", "on file", "on line", "tier")


@dataclass(frozen=True, slots=True)
class Service:
    """Answers questions about the repositories of one tenant."""

    settings: Settings
    store: Store
    workspace: Workspace
    offload: Offload = at_once
    """How long computations are run: at once, or beside the event loop in a service."""
    kept: dict[Scope, Incidence] = field(default_factory=dict)
    """Arrays of repositories at the head they were last asked for."""
    residence: Residence | None = None
    """What is kept of the trees that were read, where the service stays up."""
    begun: Reading | None = None
    """What was begun to be read before the store was there, for the first `index`."""
    seen: dict[Scope, Standing] | None = None
    """How the store's repositories stood when a question came in, where somebody else has looked."""

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: Settings,
        progress: Progress = silent,
        offload: Offload = at_once,
        *,
        stays: bool = False,
        ahead: Ahead | None = None,
    ) -> AsyncIterator[Service]:
        """Connect to the store, starting the embedded server where none runs.

        `stays`: keep what was read of a tree for the next question, at the price of its memory.
        `ahead`: what to begin to read meanwhile, where `index` is asked for next.
        """
        progress("starting the store", 0, 0)
        with ahead(settings, progress) if ahead else nullcontext() as begun:
            async with Service._opened(settings, offload, stays) as service:
                yield replace(service, begun=begun)

    @staticmethod
    @asynccontextmanager
    async def _opened(settings: Settings, offload: Offload, stays: bool) -> AsyncIterator[Service]:
        async with Store.open(settings.store()) as store:
            await store.migrate()
            with Residence(settings.engine_idle) if stays else nullcontext() as residence:
                yield Service(settings, store, Workspace(settings.data), offload, residence=residence)

    def scope(self, name: str) -> Scope:
        """The scope of a repository's name."""
        return Scope(self.settings.tenant, check_name(name))

    async def index(
        self,
        source: Path,
        name: str = "",
        *,
        rev: str = "HEAD",
        full: bool = False,
        recordings: Sequence[Path] = (),
        reviews: bytes | None = None,
        progress: Progress = silent,
    ) -> documents.Indexed:
        """Index a revision of a clone, remember where the clone is, and take recordings of tests in."""
        scope = self.scope(name or repository_name(source))
        check_same_clone(self.workspace, scope, source, bool(name))
        given = selection.read(self, scope, source, rev, recordings)
        if reviews is not None:
            reviewing.take_in(self, scope, source, reviews)
        begun = self.begun
        report = await indexing.index(
            self.store,
            self.workspace,
            scope,
            source,
            rev=rev,
            full=full,
            engine=self.settings.engine,
            with_history=self.settings.history,
            progress=progress,
            reading=begun if begun is not None and begun.serves(scope, source, rev) else None,
        )
        remember_clone(self.workspace, scope, source)
        taken = None
        if given:
            taken = await selection.take_in(self, scope, report.commit, given, progress)
        return translation.indexed(report, taken)

    async def standings(self) -> list[Standing]:
        """This tenant's repositories in the store, by name, those never indexed to the end included."""
        every = await self.store.repositories() if self.seen is None else self.seen.values()
        return [standing for standing in every if standing.scope.tenant == self.settings.tenant]

    async def repositories(self) -> list[Scope]:
        """All repositories that are indexed, by name."""
        return [standing.scope for standing in await self.standings() if "code" in standing.heads]

    async def choose(self, name: str) -> Scope:
        """The repository of a name; without one the only one there is, or the one we stand in.

        Raises
        ------
        NotFoundError, AmbiguousError
            No repository is called so, or several could be meant.
        """
        known = {scope.repository: scope for scope in await self.repositories()}
        if name in known:
            return known[name]
        if name:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:8]
            hint = (
                f"Indexed are {', '.join(near)}." if near else "Nothing is indexed yet: maestro index PATH."
            )
            raise NotFoundError(f"No repository called {name!r} is indexed.", hint)
        if len(known) == 1:
            return next(iter(known.values()))
        if not known:
            raise NotFoundError("Nothing is indexed yet.", "Begin with: maestro index PATH")
        here = self._standing_in(list(known.values()))
        if here is None:
            hint = "Say which one: --repo NAME."
            raise AmbiguousError(f"{len(known)} repositories are indexed.", hint, tuple(sorted(known)))
        return here

    def _standing_in(self, known: list[Scope]) -> Scope | None:
        try:
            root = locate(Path()).root
        except MaestroError:
            return None
        return next((scope for scope in known if clone_of(self.workspace, scope) == root), None)

    async def arrays(self, scope: Scope) -> Incidence:
        """The code of a repository at its head."""
        kept = self.kept.get(scope)
        if kept is not None and await self._current(scope, kept) and intact(kept):
            return kept
        found = await indexing.current_arrays(self.store, self.workspace, scope)
        if found is None:
            raise NotFoundError(f"{scope.repository} is not indexed yet.", "Begin with: maestro index PATH")
        self.kept[scope] = found
        return found

    async def _current(self, scope: Scope, kept: Incidence) -> bool:
        """Whether arrays are those of the head."""
        seen = self.seen.get(scope) if self.seen is not None else None
        if seen is not None and (seen.heads.get("code"), seen.commit) == (kept.head, kept.commit):
            return True
        head = await self.store.head(scope)
        return head is not None and (head.number, head.commit) == (kept.head, kept.commit)

    def mirror(self, scope: Scope, refresh: bool) -> Mirror:
        """The repository's mirror; brought up to date with the clone where that is here and asked for."""
        clone = clone_of(self.workspace, scope)
        if refresh and clone is not None and clone.exists():
            return Mirror.refresh(clone, self.workspace.mirror(scope))
        return Mirror.open(self.workspace.mirror(scope))

    async def impact(
        self,
        question: Question,
        *,
        refresh: bool = True,
        progress: Progress = silent,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        limit: int | None = None,
    ) -> documents.Impact:
        """What a change or symbol reaches.

        Parameters
        ----------
        refresh : bool
            Look into the clone first for commits that the mirror lacks.
        deadline : float or None
            Value of `time.monotonic` at which to give up.
        """
        begun = time.monotonic()
        scope = await self.choose(question.repository)
        then = await earlier.view(self, scope, question.as_of)
        head = then.arrays

        def compute() -> documents.Impact:
            judged = None
            graph, starts = head, self._starts(scope, head, question, refresh)
            if starts is None:
                judged = self._judge(scope, question, refresh, progress)
                graph, starts = judged.graph, judged.starts.tolist()
            cone = impact.impact(
                graph,
                starts,
                tier=question.tier,
                depth=question.depth,
                direction=Direction(question.direction.value),
                deadline=deadline,
                cancelled=cancelled,
                limit=limit,
                owners=head,
            )
            seconds = time.monotonic() - begun
            found = translation.impact(
                question, cone, judged, run=head.head, indexed=head.commit, seconds=seconds
            )
            return then.dated(found)

        return await self.offload(compute)

    def _starts(self, scope: Scope, head: Incidence, question: Question, refresh: bool) -> list[int] | None:
        """The nodes that a question names; None where it is about a change."""
        if question.subject in (Subject.REVISIONS, Subject.DIFF):
            return None
        try:
            return nodes.find(head, question.asked)
        except NotFoundError:
            named = question.subject is Subject.NAME and not question.as_of
            if named and self._is_revision(scope, question.asked, refresh):
                return None
            raise

    def _is_revision(self, scope: Scope, asked: str, refresh: bool) -> bool:
        try:
            self.mirror(scope, refresh).resolve(asked)
        except InputError:
            return False
        return True

    def _judge(
        self, scope: Scope, question: Question, refresh: bool, progress: Progress
    ) -> judgement.Judgement:
        mirror = self.mirror(scope, refresh)
        return self.judge(mirror, self.change(mirror, scope, question), progress)

    def judge(self, mirror: Mirror, change: Change, progress: Progress = silent) -> judgement.Judgement:
        """What a change does, by both of its sides.

        A service that stays up reads a side from the tree that it read last. One question at a time may do
        so; another that comes meanwhile reads for itself.
        """
        with self.residence.lent() if self.residence is not None else nullcontext() as residence:
            return judgement.judge(
                self.workspace,
                mirror,
                change,
                engine=self.settings.engine,
                progress=progress,
                residence=residence,
            )

    def change(self, mirror: Mirror, scope: Scope, question: Question) -> Change:
        """The change that a question is about."""
        if question.subject is Subject.DIFF:
            return read_patch(mirror, scope, question.diff, question.asked)
        return read_revisions(mirror, scope, question.asked)

    async def paths(
        self,
        source: str,
        target: str,
        repository: str = "",
        *,
        tier: Tier = DEFAULT_TIER,
        depth: int,
        count: int,
        as_of: str = "",
        deadline: float | None = None,
    ) -> documents.Paths:
        """The shortest proofs that the first depends on the second, else the other way round."""
        scope = await self.choose(repository)
        then = await earlier.view(self, scope, as_of)

        def compute() -> documents.Paths:
            found = self._paths(scope, then.arrays, source, target, tier, depth, count, deadline)
            return then.dated(found)

        return await self.offload(compute)

    def _paths(
        self,
        scope: Scope,
        head: Incidence,
        source: str,
        target: str,
        tier: Tier,
        depth: int,
        count: int,
        deadline: float | None,
    ) -> documents.Paths:
        places = [nodes.find(head, text) for text in (source, target)]
        for asked, place in zip((source, target), places, strict=True):
            if len(place) > 1:
                raise _several(head, asked, place)
        ends = places[1][0], places[0][0]
        search_paths = partial(
            paths.shortest_paths, head, count=count, tier=tier, depth=depth, deadline=deadline
        )
        direction = "depends"
        found = search_paths(*ends)
        if not found.paths:
            direction = "reaches"
            found = search_paths(*ends[::-1])
        return translation.paths(scope, head, found, direction)

    async def search(
        self, query: str, repository: str = "", *, limit: int = 20, as_of: str = ""
    ) -> documents.Found:
        """Nodes by name, best first."""
        scope = await self.choose(repository)
        then = await earlier.view(self, scope, as_of)
        head = then.arrays

        def compute() -> documents.Found:
            hits = search.search(head, query, limit=limit + 1)
            return then.dated(translation.found(scope, head, query, hits, limit))

        return await self.offload(compute)

    async def node(self, asked: str, repository: str = "") -> documents.Found:
        """The nodes that a name, key or line means."""
        scope = await self.choose(repository)
        head = await self.arrays(scope)
        proofs = Proofs(head)
        return documents.Found(
            repository=scope.repository,
            run=head.head,
            commit=head.commit,
            query=asked,
            more=False,
            results=tuple(translation.symbol(proofs.node(node)) for node in nodes.find(head, asked)),
        )

    async def export(
        self, kind: str, repository: str = "", *, as_of: str = "", progress: Progress = silent
    ) -> documents.Export:
        """All dependencies of a kind as rows."""
        wanted = edges.exported_kind(kind)
        scope = await self.choose(repository)
        then = await earlier.view(self, scope, as_of)
        head = then.arrays
        progress("writing rows", 0, 0)
        return documents.Export(
            repository=scope.repository,
            run=head.head,
            commit=head.commit,
            at=then.at,
            kind=wanted.value,
            columns=COLUMNS,
            rows=tuple(row.short for row in edges.rows(head, wanted)),
        )

    async def status(self) -> documents.Status:
        """Every repository, and where everything is."""
        repositories = [
            await self._repository(each) for each in await self.standings() if "code" in each.heads
        ]
        return documents.Status(
            server=self.store.server, data=str(self.settings.data), repositories=tuple(repositories)
        )

    async def _repository(self, standing: Standing) -> documents.Repository:
        arrays = await self.arrays(standing.scope)
        clone = clone_of(self.workspace, standing.scope)
        return documents.Repository(
            name=standing.scope.repository,
            run=arrays.head,
            commit=arrays.commit,
            families=standing.heads,
            nodes=arrays.node_count,
            edges=arrays.edge_count,
            origin=str(clone or ""),
            bytes=room(self.workspace.of(standing.scope)),
            recordings=selection.held(self, standing.scope, arrays.commit),
        )

    async def prune(
        self, repository: str = "", *, dry_run: bool = False, progress: Progress = silent
    ) -> documents.Pruned:
        """Remove what was retired long ago, and trees that were resolved for earlier questions."""
        scopes = [await self.choose(repository)] if repository else await self.repositories()
        facts = things = freed = 0
        for number, scope in enumerate(scopes):
            progress(f"pruning {scope.repository}", number, len(scopes))
            pruned = await self.store.prune(scope, keep=self.settings.keep, dry_run=dry_run)
            facts += sum(pruned.edges.values())
            things += sum(pruned.nodes.values())
            sides = self.workspace.sides(scope)
            freed += room(sides)
            for file in () if dry_run else sides.glob("*.arrays"):
                file.unlink(missing_ok=True)
            if not dry_run:
                self.workspace.sweep(scope)
            freed += selection.tidy(self, scope, dry_run)
        names = ", ".join(scope.repository for scope in scopes)
        return documents.Pruned(repository=names, dry_run=dry_run, removed=facts, nodes=things, bytes=freed)


def _several(head: Incidence, asked: str, found: list[int]) -> AmbiguousError:
    proofs = Proofs(head)
    labels = tuple(dict.fromkeys(proofs.node(node).label for node in found))
    return AmbiguousError(f"{asked!r} means {len(found)} symbols.", "Name one, or FILE:LINE.", labels)
