"""Arrays renewed by what moved: old ones, less what was retired, with what was created.

    renew(old, nodes=..., created=..., retired=..., head=..., commit=..., tree=...) -> Incidence

Nodes keep their ids and new ones are put behind them; hyperedges that stay keep their order and new ones
are put behind them. Nothing is resolved, exported or sorted again: what is left to do grows with what
moved, and copying what stays is one pass over memory. The outcome holds the same facts, and gives the
same answers, as `Incidence.build` from all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import spread
from graph.assembly import EDGE_CODE, NONE, ROLE_CODE, Columns, assemble
from graph.errors import CorruptError, InputError
from graph.facts import Hyperedge, Node
from graph.incidence import Incidence
from graph.readback import read_edge, read_node
from graph.rewiring import rewire
from graph.schema import EdgeKind, NodeKind
from graph.splicing import appended, dropped, found_in, patched, pruned, raws_of, replaced, without
from graph.strings import Strings

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

SHARE = 4
"""Where more than one in so many hyperedges moved, arrays are built anew: that costs no more."""

_UNRESOLVED = EDGE_CODE[EdgeKind.UNRESOLVED]
_CONTAINS, _SYMBOL = EDGE_CODE[EdgeKind.CONTAINS], ROLE_CODE["symbol"]
_PLACED = {"file": -1, "line": -1, "mark": -1, "end": -1, "digest": 0}
_SAID = {"sort": NONE, "name_id": -1, "path_id": -1}
_BY_EDGE = (
    "edge_kind", "tier", "form", "edge_resolver", "source", "digests", "edge_from", "virtual", "count",
)  # fmt: skip
_BY_MEMBER = ("member_node", "member_role", "member_line")


def pays(old: Incidence, moved: int) -> bool:
    """Whether renewing is worth it: else `Incidence.build` costs no more, and leaves out what is gone."""
    dead = old.node_count - int(np.count_nonzero(old.alive))
    return SHARE * moved <= old.edge_count and 2 * dead <= old.node_count and not _littered(old)


def _littered(old: Incidence) -> bool:
    """Whether most names or paths belong to nodes that are gone."""
    for pool, places in ((old.names, old.name_id), (old.paths, old.path_id)):
        if len(pool) > 64:
            used = np.zeros(len(pool) + 1, np.bool_)
            used[places] = True
            if 2 * int(np.count_nonzero(used[:-1])) < len(pool):
                return True
    return False


def renew(
    old: Incidence,
    *,
    nodes: Iterable[Node] = (),
    created: Iterable[Hyperedge | tuple[Hyperedge, int]] = (),
    retired: Iterable[int] | Longs = (),
    gone: Iterable[int] | Longs | None = None,
    head: int,
    commit: str,
    tree: str,
    resolver: str | None = None,
) -> Incidence:
    """The arrays that follow from old ones, which stay as they are (they may be mapped and shared).

    Parameters
    ----------
    nodes : iterable of Node
        New ones, and those that say otherwise of themselves than before.
    created : iterable of Hyperedge or (Hyperedge, int)
        The pair says which run it is valid from, otherwise that is `head`.
    retired : ids of hyperedges of `old`
        See `places`.
    gone : ids of nodes of `old`, or None
        Nodes that no reader describes any more. They stay if a hyperedge still names them. None: those
        that only retired hyperedges named.
    resolver : str or None
        Fingerprint of the readers; the old one by default.

    Raises
    ------
    InputError
        A hyperedge is to be retired that is not there, or to be created that is.
    """
    step = _Step.of(old, list(nodes), list(created), retired, gone, head)
    marks: dict[str, Any] = {"head": head, "commit": commit, "tree": tree}
    marks["resolver"] = old.resolver if resolver is None else resolver
    if step is None:
        return _anew(old, nodes, created, retired, gone, marks)
    new = Incidence(scope=old.scope, **marks, **step.columns())
    if old._adjacency is not None:
        new._adjacency = rewire(old, new, old._adjacency, step.retired, step.kept)
    if old._unresolved is not None:
        new._unresolved = step.unresolved(old._unresolved)
    return new


def places(old: Incidence, ids: Iterable[tuple[EdgeKind, str]]) -> Longs:
    """Hyperedges of the arrays by kind and `digest@run`, ascending.

    Raises
    ------
    CorruptError
        One of them is not there: the arrays and the store are not of one mind.
    """
    wanted = [(EDGE_CODE[kind], *outer.rpartition("@")[::2]) for kind, outer in ids]
    keys = _halves(np.frombuffer(bytes.fromhex("".join(row[1] for row in wanted)), np.uint8).reshape(-1, 16))
    found = _sought(old, keys)
    kinds = np.array([row[0] for row in wanted], np.uint8)
    births = np.array([int(row[2]) for row in wanted], np.int32)
    sound = found >= 0
    sound[sound] = (old.edge_kind[found[sound]] == kinds[sound]) & (
        old.edge_from[found[sound]] == births[sound]
    )
    if not sound.all():
        raise CorruptError(
            f"Of {len(wanted)} facts that ended, the arrays hold {int(sound.sum())}.",
            "Maestro rebuilds them from the store; `maestro doctor --repair` does so at once.",
        )
    return np.sort(found)


def _halves(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64[m, 2]."""
    return np.ascontiguousarray(digests).view(np.uint64).reshape(-1, 2)


def _sought(old: Incidence, keys: NDArray[np.uint64]) -> Longs:
    """The hyperedge of each digest; -1 where there is none."""
    held = _halves(old.digests)
    may = np.zeros(1 << 16, np.bool_)
    may[keys[:, 0] & 0xFFFF] = True
    near = np.flatnonzero(may[held[:, 0] & 0xFFFF])
    table = dict(zip(map(tuple, held[near].tolist()), near.tolist(), strict=True))
    return np.array([table.get((a, b), -1) for a, b in keys.tolist()], np.int64)


def _lost(old: Incidence, retired: Longs, gone: Longs | None) -> tuple[Longs, Longs]:
    """Nodes that lost what described or named them, and which of those no hyperedge names that stays."""
    mark = np.zeros(old.node_count, np.bool_)
    if gone is None:
        starts = old.member_ptr[retired]
        mark[old.member_node[spread(starts, old.member_ptr[retired + 1] - starts)]] = True
    else:
        mark[gone] = True
    found = np.flatnonzero(mark)
    still = found_in(mark, old.member_node)
    owners = np.searchsorted(old.member_ptr, still, "right") - 1
    mark[old.member_node[still[~_among(owners, retired)]]] = False
    return found, np.flatnonzero(mark)


def _among(values: Longs, few: Longs) -> NDArray[np.bool_]:
    """Which of the values are in a sorted few."""
    if not len(few):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(few, values), len(few) - 1)
    found: NDArray[np.bool_] = few[at] == values
    return found


def _anew(
    old: Incidence,
    nodes: Iterable[Node],
    created: Iterable[Hyperedge | tuple[Hyperedge, int]],
    retired: Iterable[int] | Longs,
    gone: Iterable[int] | Longs | None,
    marks: dict[str, Any],
) -> Incidence:
    """The same from all facts: for what splicing cannot do, such as a symbol that two files hold."""
    ended = _ascending(retired)
    lost, unnamed = _lost(old, ended, None if gone is None else _ascending(gone))
    without = set((unnamed if gone is None else lost).tolist())
    ends = set(ended.tolist())

    def facts() -> Iterator[Any]:
        said = list(nodes)
        yield from said
        told = {(node.kind, node.key) for node in said}
        for at in np.flatnonzero(old.alive).tolist():
            if at not in without and (old.kind(at), old.keys[at]) not in told:
                yield read_node(old, at)
        births = old.edge_from.tolist()
        for edge in range(old.edge_count):
            if edge not in ends:
                yield read_edge(old, edge), births[edge]
        yield from created

    return Incidence.build(facts(), scope=old.scope, previous=old, **marks)


def _ascending(ids: Iterable[int] | Longs) -> Longs:
    array = ids if isinstance(ids, np.ndarray) else np.array(list(ids), np.int64)
    return np.unique(array).astype(np.int64)


@dataclass(slots=True)
class _Step:
    """One renewal under way: what is new as small arrays of its own, and where their nodes are."""

    old: Incidence
    retired: Longs
    mini: Columns
    """Columns of what is new, in ids of its own."""
    ids: Longs
    """For each node of `mini` its id in the outcome."""
    appended: Longs
    """Nodes of `mini` that the old arrays have never heard of."""
    described: Longs
    """Nodes of `mini` that say what they are."""
    blank: Longs
    """Old nodes that nothing describes any more."""
    dead: Longs
    """Old nodes that nothing mentions any more."""

    @classmethod
    def of(
        cls,
        old: Incidence,
        nodes: Sequence[Node],
        created: Sequence[Hyperedge | tuple[Hyperedge, int]],
        retired: Iterable[int] | Longs,
        gone: Iterable[int] | Longs | None,
        head: int,
    ) -> _Step | None:
        """Take in what moved; None where it cannot be spliced in."""
        ended = _ascending(retired)
        if len(ended) and (ended[0] < 0 or ended[-1] >= old.edge_count):
            raise InputError(f"There are {old.edge_count} hyperedges, and one beyond them was to end.")
        known = _Known(old)
        bare = known.sources(created)
        mini = assemble([*bare, *nodes, *created], old.scope, None, head, None)
        twice = _sought(old, _halves(mini["digests"]))
        if len(twice := twice[twice >= 0]) and not _among(twice, ended).all():
            raise InputError("A hyperedge was to be created that is valid already.")
        ids = known.find(mini)
        appended = np.flatnonzero(ids < 0)
        ids[appended] = old.node_count + np.arange(len(appended))
        places: dict[tuple[NodeKind, str], int] = {}
        for node in (*bare, *nodes):
            places.setdefault((node.kind, node.key), len(places))
        described = np.array([places[node.kind, node.key] for node in nodes], np.int64)
        lost, unnamed = _lost(old, ended, None if gone is None else _ascending(gone))
        named = np.union1d(ids[mini["member_node"]], ids[described])
        dead = np.setdiff1d(unnamed, named, assume_unique=True)
        blank = np.setdiff1d(dead if gone is None else lost, ids[described])
        step = cls(old, ended, mini, ids, appended, np.unique(described), blank, dead)
        return None if step.held_twice() else step

    @property
    def kept(self) -> int:
        """Hyperedges that stay."""
        return self.old.edge_count - len(self.retired)

    @property
    def size(self) -> int:
        """Nodes of the outcome."""
        return self.old.node_count + len(self.appended)

    def ended_members(self) -> Longs:
        """Places of the members of retired hyperedges."""
        starts = self.old.member_ptr[self.retired]
        return spread(starts, self.old.member_ptr[self.retired + 1] - starts)

    def released(self) -> Longs:
        """Symbols that retired Contains held."""
        at = self.retired[self.old.edge_kind[self.retired] == _CONTAINS]
        starts = self.old.member_ptr[at]
        inside = spread(starts, self.old.member_ptr[at + 1] - starts)
        found: Longs = self.old.member_node[inside[self.old.member_role[inside] == _SYMBOL]].astype(np.int64)
        return found

    def held_twice(self) -> bool:
        """Whether a symbol that comes or goes is held by a Contains that stays: columns have room for one."""
        old, mini = self.old, self.mini
        mark = np.zeros(self.size, np.bool_)
        mark[self.released()] = True
        mark[self.ids[np.flatnonzero(mini["file"] >= 0)]] = True
        near = found_in(mark, old.member_node)
        near = near[old.member_role[near] == _SYMBOL]
        owners = np.searchsorted(old.member_ptr, near, "right") - 1
        owners = owners[old.edge_kind[owners] == _CONTAINS]
        return not bool(_among(owners, self.retired).all())

    def columns(self) -> Columns:
        """All columns of the outcome."""
        found = self._node_columns() | self._edge_columns()
        return found | self._key_columns()

    def unresolved(self, before: Ints) -> Ints:
        """What `Incidence.unresolved` counts, from what it counted before."""
        old, mini = self.old, self.mini
        ended = self.retired[old.edge_kind[self.retired] == _UNRESOLVED]
        begun = np.flatnonzero(mini["edge_kind"] == _UNRESOLVED)
        found = np.zeros(self.size, np.int32)
        found[: old.node_count] = before
        np.subtract.at(found, old.member_node[old.member_ptr[ended]], old.count[ended])
        np.add.at(found, self.ids[mini["member_node"][mini["member_ptr"][begun]]], mini["count"][begun])
        return found

    def _node_columns(self) -> Columns:
        old, mini = self.old, self.mini
        found: Columns = {}
        released = self.released()
        held = np.flatnonzero(mini["file"] >= 0)
        own = self.ids[held]
        fresh = {name: mini[name][held] for name in _PLACED} | {"file": self.ids[mini["file"][held]]}
        for name, blank in _PLACED.items():
            changes = [(released, blank), (own, fresh[name])]
            found[name] = patched(getattr(old, name), self.size, blank, changes)
        said = self.ids[self.described]
        fresh = {"sort": mini["sort"][self.described]}
        for pool, column in (("names", "name_id"), ("paths", "path_id")):
            found[pool], numbers = _pooled(getattr(old, pool), mini[pool])
            fresh[column] = numbers[mini[column][self.described]]
        for name, blank in _SAID.items():
            changes = [(self.blank, blank), (said, fresh[name])]
            found[name] = patched(getattr(old, name), self.size, blank, changes)
        rests = dict.fromkeys(self.blank.tolist(), b"")
        packed = mini["node_rest"]
        rests |= {int(self.ids[at]): packed.raw(at) for at in self.described.tolist()}
        more = [rests.get(at, b"") for at in range(old.node_count, self.size)]
        changed = {at: rest for at, rest in rests.items() if at < old.node_count}
        found["node_rest"] = appended(replaced(old.node_rest, changed), more)
        living = [(self.dead, False), (said, True), (self.ids[mini["member_node"]], True)]
        found["alive"] = patched(old.alive, self.size, False, living)
        return found

    def _edge_columns(self) -> Columns:
        old, mini, retired = self.old, self.mini, self.retired
        found: Columns = {}
        members = self.ended_members()
        starts = old.line_ptr[retired]
        lines = spread(starts, old.line_ptr[retired + 1] - starts)
        mapped = dict(mini)
        mapped["member_node"] = self.ids[mini["member_node"]].astype(np.int32)
        mapped["source"] = np.append(self.ids, -1)[mini["source"]].astype(np.int32)
        for names, ended in ((_BY_EDGE, retired), (_BY_MEMBER, members), (("lines",), lines)):
            for name in names:
                found[name] = without(getattr(old, name), ended, mapped[name])
        for name in ("member_ptr", "line_ptr"):
            found[name] = pruned(getattr(old, name), retired, np.diff(mini[name]))
        rests = mini["edge_rest"]
        found["edge_rest"] = dropped(old.edge_rest, retired, rests)
        return found

    def _key_columns(self) -> Columns:
        old, mini = self.old, self.mini
        keys = mini["keys"]
        raws = [keys.raw(at) for at in self.appended.tolist()]
        new = np.zeros(len(self.ids), np.bool_)
        new[self.appended] = True
        chosen = new[mini["hash_node"]]
        values, nodes = mini["hash_value"][chosen], self.ids[mini["hash_node"][chosen]].astype(np.int32)
        at = np.searchsorted(old.hash_value, values, "right")
        kinds = mini["node_kind"][self.appended]
        return {
            "keys": old.keys.appended(raws),
            "node_kind": patched(old.node_kind, self.size, 0, [(self.ids[self.appended], kinds)]),
            "hash_value": np.insert(old.hash_value, at, values) if len(at) else old.hash_value,
            "hash_node": np.insert(old.hash_node, at, nodes) if len(at) else old.hash_node,
        }


class _Known:
    """Looks nodes up in the old arrays, dead ones included."""

    def __init__(self, old: Incidence) -> None:
        self.old = old

    def sources(self, created: Sequence[Hyperedge | tuple[Hyperedge, int]]) -> list[Node]:
        """The files that created hyperedges were read from, where the old arrays know them."""
        edges = (each if isinstance(each, Hyperedge) else each[0] for each in created)
        keys = dict.fromkeys(self.old.scope.file(edge.provenance.source) for edge in edges)
        bare = [Node(NodeKind.FILE, key) for key in keys]
        known = self.find(assemble(bare, self.old.scope, None, 0, None))
        return [node for node, at in zip(bare, known.tolist(), strict=True) if at >= 0]

    def find(self, mini: Columns) -> Longs:
        """The id of each node of small arrays; -1 where it is new."""
        old, keys = self.old, mini["keys"]
        found = np.full(len(keys), -1, np.int64)
        values: NDArray[np.uint32] = mini["hash_value"]
        first = np.searchsorted(old.hash_value, values, "left")
        counts = np.searchsorted(old.hash_value, values, "right") - first
        known = old.hash_node[spread(first, counts)]
        asked = np.repeat(mini["hash_node"], counts)
        alike = old.node_kind[known] == mini["node_kind"][asked]
        known, asked = known[alike], asked[alike]
        pairs = zip(raws_of(old.keys, known), raws_of(keys, asked), strict=True)
        same = np.fromiter((mine == theirs for mine, theirs in pairs), np.bool_, len(known))
        found[asked[same]] = known[same]
        return found


def _pooled(old: Strings, fresh: Strings) -> tuple[Strings, Ints]:
    """A pool of distinct texts with those that it lacks, and the place in it of each fresh one; then -1."""
    known = {raw: at for at, raw in enumerate(old.raws())} if len(fresh) else {}
    added: list[bytes] = []
    numbers = []
    for raw in fresh.raws():
        at = known.get(raw)
        if at is None:
            at = len(old) + len(added)
            added.append(raw)
        numbers.append(at)
    return appended(old, added), np.array([*numbers, -1], np.int32)
