"""What `maestro doctor` looks at: versions, server, facts against the schema, arrays, mirrors, disk."""

from __future__ import annotations

import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata

from api import __version__
from api.clones import folders
from api.documents import Check, Health
from api.listing import size
from api.service import Service
from api.settings import Settings
from graph import indexing, recordings
from graph.errors import CorruptError, EngineError, MaestroError, NotFoundError
from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.ingest.python.engine import Engine
from graph.progress import Progress, silent
from graph.schema import EDGES, EdgeKind
from graph.store import Standing
from graph.workspace import Workspace

LITTLE = 512 * 1024 * 1024
"""Bytes free on the data folder's disk below which something will soon fail."""
SCARCE = 4 * LITTLE


def well(name: str, detail: str) -> Check:
    """All right."""
    return Check(name=name, outcome="well", detail=detail)


def note(name: str, detail: str, hint: str = "") -> Check:
    """Worth knowing, and nothing is broken."""
    return Check(name=name, outcome="note", detail=detail, hint=hint)


def wrong(name: str, detail: str, hint: str = "") -> Check:
    """Something must be put right."""
    return Check(name=name, outcome="wrong", detail=detail, hint=hint)


async def examine(settings: Settings, repair: bool = False, progress: Progress = silent) -> Health:
    """Look at everything; with `repair` rebuild arrays and sweep broken runs on the way.

    Never raises for what it finds: an unreachable server is a finding too.
    """
    checks = [*_versions(), _disk(settings)]
    try:
        async with Service.open(settings, progress) as service:
            checks.append(well("server", service.store.server))
            standings = await service.standings()
            for standing in standings:
                progress(f"looking at {standing.scope.repository}", 0, 0)
                checks += await look_at(service, standing, repair)
            checks += _strays(service.workspace, settings.tenant, standings)
    except MaestroError as error:
        checks.append(wrong("server", error.message, error.hint))
    return Health(well=all(check.outcome != "wrong" for check in checks), checks=tuple(checks))


def _versions() -> Iterator[Check]:
    yield well(
        "maestro", f"{__version__} on Python {platform.python_version()}, {sys.platform} {platform.machine()}"
    )
    try:
        yield well("engine", f"pyrefly {Engine.find().version}")
    except EngineError as error:
        yield note("engine", f"{error.message} Python is resolved by our own reader alone.", error.hint)
    try:
        yield well("embedded", f"arcadedb-embedded {metadata.version('arcadedb-embedded')}")
    except metadata.PackageNotFoundError:
        yield note("embedded", "The embedded server is not installed here.", "Set MAESTRO_NEO4J_URI.")


def _disk(settings: Settings) -> Check:
    place = settings.data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{size(free)} free for {settings.data}"
    if free < LITTLE:
        return wrong("disk", detail, "Make room, or point MAESTRO_DATA elsewhere.")
    return note("disk", detail, "That will not last long.") if free < SCARCE else well("disk", detail)


async def look_at(service: Service, standing: Standing, repair: bool = False) -> list[Check]:
    """Everything about one repository; what is broken is mended first where that is asked for."""
    scope, name = standing.scope, standing.scope.repository
    checks = []
    if standing.running is not None:
        checks.append(await _unfinished(service, standing, repair))
    if not standing.heads:
        return [*checks, note(name, "was begun, and never indexed to the end", "Index it again.")]
    checks += [await _counted(service, standing), await _whole(service, standing)]
    for family in sorted({"code" if family == "owners" else family for family in standing.heads}):
        checks.append(await _arrays(service, standing, family, repair))
    try:
        Mirror.open(service.workspace.mirror(scope))
    except MaestroError as error:
        checks.append(wrong(name, f"mirror: {error.message}", "maestro index makes it again."))
    checks += _recordings(service, standing)
    return checks


def _recordings(service: Service, standing: Standing) -> Iterator[Check]:
    """Whether recordings of test runs are whole; selections stand on them."""
    name = standing.scope.repository
    try:
        notes = recordings.kept(service.workspace, standing.scope)
        for note in notes:
            recordings.content(service.workspace, standing.scope, note)
        recordings.load(service.workspace, standing.scope)
    except MaestroError as error:
        yield wrong(name, error.message, error.hint)
        return
    if notes:
        tests = max(note.tests for note in notes)
        yield well(name, f"{len(notes)} recordings of test runs, of up to {tests:,} tests, are whole")


async def _unfinished(service: Service, standing: Standing, repair: bool) -> Check:
    name = standing.scope.repository
    if repair:
        swept = await service.store.sweep(standing.scope)
        return well(name, f"run {standing.running} had broken off: {swept:,} facts of it were swept")
    return note(
        name,
        f"run {standing.running} is under way, or broke off; nobody sees what it wrote",
        "The next `maestro index` sweeps it.",
    )


async def _counted(service: Service, standing: Standing) -> Check:
    """Stored hyperedges of each kind against the arrays, which were made from what was written."""
    name = standing.scope.repository
    counts = await service.store.counts(standing.scope)
    stored = {kind: count for kind, count in counts.valid.items() if count}
    held: Counter[EdgeKind] = Counter()
    for family in ("code", "history", "runtime"):
        arrays = _open(service, standing, family)
        if isinstance(arrays, str):  # reported by `_arrays`
            stored = {kind: count for kind, count in stored.items() if _file_of(kind) != family}
            continue
        held.update(arrays.edge_kind_of(edge) for edge in range(arrays.edge_count))
    apart = [
        f"{kind} {stored.get(kind, 0):,} stored, {held.get(kind, 0):,} in the arrays"
        for kind in EDGES
        if stored.get(kind, 0) != held.get(kind, 0)
    ]
    if apart:
        return wrong(name, "; ".join(apart), "maestro doctor --repair builds the arrays anew.")
    retired = sum(counts.edges.values()) - sum(counts.valid.values())
    shown = f"{sum(stored.values()):,} facts of {len(stored)} kinds, {retired:,} retired"
    return well(name, f"{shown}, {sum(counts.nodes.values()):,} things; the arrays agree")


def _file_of(kind: EdgeKind) -> str:
    family = EDGES[kind].family
    return family if family in ("history", "runtime") else "code"


def _open(service: Service, standing: Standing, family: str) -> Incidence | str:
    """The array file as it is, where it stands where the store does, else why not; nothing is mended."""
    try:
        arrays = Incidence.open(service.workspace.arrays(standing.scope, family), anew=True)
    except (CorruptError, NotFoundError) as error:
        return error.message
    if arrays.head != standing.heads.get(family):
        return f"They stand at run {arrays.head}, the store at {standing.heads.get(family)}."
    return arrays


async def _whole(service: Service, standing: Standing) -> Check:
    name = standing.scope.repository
    dangling = await service.store.dangling(standing.scope)
    if not dangling:
        return well(name, "every fact has all of its members")
    shown = "; ".join(f"{each.count:,} {each.kind} without {each.role}" for each in dangling)
    return wrong(name, shown, "Somebody else wrote to the store: maestro index --full.")


async def _arrays(service: Service, standing: Standing, family: str, repair: bool) -> Check:
    name = standing.scope.repository
    found = _open(service, standing, family)
    if not isinstance(found, str):
        room = service.workspace.arrays(standing.scope, family).stat().st_size
        return well(name, f"{family} arrays at run {found.head}, {size(room)}")
    if not repair:
        hint = "The next question builds them anew; maestro doctor --repair does so now."
        return wrong(name, f"{family} arrays cannot be used: {found}", hint)
    built = await indexing.rebuild_arrays(service.store, service.workspace, standing.scope, family)
    return well(name, f"{family} arrays were built anew at run {built.head if built else 0}")


def _strays(workspace: Workspace, tenant: str, standings: list[Standing]) -> Iterator[Check]:
    """Folders of repositories that the store does not know."""
    known = {standing.scope for standing in standings}
    for scope in folders(workspace, tenant):
        if scope not in known:
            hint = f"If it is not needed, remove {workspace.of(scope)}."
            yield note(scope.repository, "has files here, but is not in the store", hint)
