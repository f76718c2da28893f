"""What frameworks added to a program, where it stands after an edit that they do not see.

Frameworks are one whole: a hook in one file adds calls to another. Where an edited file shows them nothing
new, what they added is left as it is, and calls are moved to where their lines stand now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graph.facts import Hyperedge
from graph.ingest.python import calls, frameworks, shapes
from graph.ingest.python.records import CallSite, Site, Target
from graph.schema import EdgeKind, Form

if TYPE_CHECKING:
    from graph.ingest.python.linkage import Input, Linkage, Own


def displaced(
    last: Linkage, given: Input, own: Mapping[str, Own], changed: Sequence[str]
) -> tuple[frameworks.Extension, dict[str, list[Hyperedge]]] | None:
    """What frameworks added, moved to where it stands now; None where they may add something else."""
    moves: dict[str, shapes.Shift] = {}
    for path in changed:
        was, now = _running(last.own[path]), _running(own[path])
        ran, runs = {site for site, _ in was}, {site for site, _ in now}
        shift = shapes.shift(last.given.records[path], given.records[path], ran, runs)
        if shift is None or _references(last.own[path]) != _references(own[path]):
            return None
        if not _aligned(was, now, shift):
            return None
        moves[path] = shift
    added: list[CallSite] = []
    for call in last.extension.calls:
        shift = moves.get(call.caller.path)
        if shift is not None:
            moved = _moved(call, shift)
            if moved is None:
                return None
            added.append(moved)
        else:
            added.append(call)
    edges = dict(last.framework_edges)
    for path in moves:
        stays = [edge for edge in edges.get(path, ()) if edge.kind is not EdgeKind.CALLS]
        edges[path] = [_read_from(edge, given.ids[path]) for edge in stays]
    of_edited = [call for call in added if call.caller.path in moves]
    for edge in calls.edges(given.scope, of_edited, _Keys(given).key, given.records, given.ids):
        edges[edge.provenance.source].append(edge)
    return frameworks.Extension(last.extension.facts, added), edges


class _Keys:
    """Keys of definitions."""

    def __init__(self, given: Input) -> None:
        self._given = given

    def key(self, target: Target) -> str:
        definition = self._given.records[target.path].definitions[target.place]
        return self._given.scope.symbol(target.path, definition.qualname, definition.ordinal)


def _read_from(edge: Hyperedge, blob: str) -> Hyperedge:
    """A hyperedge as read from the file's present content."""
    return edge._replace(provenance=edge.provenance._replace(source_digest=blob))


def _moved(call: CallSite, shift: shapes.Shift) -> CallSite | None:
    """A call that frameworks added, where it stands now; None where that is not known."""
    if call.form is Form.WRAPPER and call.caller.place in shift.edited and call.site in shift.doubtful:
        return None  # where a wrapper runs what it wraps is found by looking through its calls
    site = shift.places.get(call.site)
    if site is None and call.site == _FIRST:
        site = call.site  # a hook that another file defines
    return call._replace(site=site) if site is not None else None


_FIRST = Site(1, 0, 1, 0)


def _aligned(was: list[tuple[Site, str]], now: list[tuple[Site, str]], shift: shapes.Shift) -> bool:
    """Whether calls run what they did, wherever that stands now.

    Places of calls that only the engine tells of are added to the shift.
    """
    if [rest for _, rest in was] != [rest for _, rest in now]:
        return False
    back = {there: here for here, there in shift.places.items()}
    for (here, _), (there, _) in zip(was, now, strict=True):
        if shift.places.setdefault(here, there) != there or back.setdefault(there, here) != here:
            return False
    return True


def _running(own: Own) -> list[tuple[Site, str]]:
    """Calls that run something of the program, by where they stand."""
    return sorted((site.site, repr(site._replace(site=_FIRST))) for site in own.sites if site.targets)


def _references(own: Own) -> Counter[tuple[object, object]]:
    return Counter((edge.members, edge.tier) for edge in own.facts if edge.kind is EdgeKind.REFERENCES)
