"""A repository's hypergraph as arrays: what every hot read runs on.

Nodes and hyperedges are dense integers. A node keeps its id as long as its key is known, across
builds that name the `previous` arrays; ids of nodes that are gone stay taken (`alive` is False).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import Adjacency, Direction, Overriding, adjacencies, overriding
from graph.assembly import NODE_CODE, ROLE_CODE, ROLES, assemble
from graph.facts import Fact, Hyperedge, Scope
from graph.schema import EDGES, TIERS, EdgeKind, NodeKind, Sort, Tier
from graph.strings import Keys, Strings

Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_NODE_KINDS = tuple(NodeKind)
_EDGE_KINDS = tuple(EdgeKind)
_SORTS = tuple(Sort)


@dataclass(slots=True, eq=False, kw_only=True)
class Incidence:
    """The hypergraph of one repository and family of kinds, valid at one head.

    n nodes, m hyperedges, k members. Codes are places in the schema's enumerations
    (`graph.schema.code_of`) and, for roles, in `graph.assembly.ROLES`; 255 says nothing.

    Attributes
    ----------
    scope, head, commit, tree, resolver
        Whose facts, the run they are valid at, the commit and tree they were read from, and the
        fingerprint of the readers that read them.
    node_kind, sort : uint8[n]
    alive : bool[n]
        Whether a fact mentions the node; if not, only its key is kept, with its id.
    keys : Keys of n
    node_rest : Strings of n
    names, paths : Strings
        Distinct names and paths; `name_id` and `path_id` (int32[n], -1 none) point into them.
    file, line, mark, end : int32[n]
        What Contains says of a symbol: node id of its File, first line with decorators, line of
        `def`, last line; -1 where nothing contains the node.
    digest : uint8[n, 16]
        Digests of a symbol's code, signature, decoration and documentation, 4 bytes each.
    edge_kind, tier, form, edge_resolver : uint8[m]
    source : int32[m]
        Node id of the File that the fact was read from, or -1.
    digests : uint8[m, 16]
    edge_from : int32[m]
        The run that a hyperedge is valid from.
    virtual : bool[m]
        A call that is dispatched at run time.
    count : int32[m]
        The property `count`, as Unresolved has it; 0 elsewhere.
    member_ptr : int64[m + 1]; member_node, member_line : int32[k]; member_role : uint8[k]
        Offsets are int32 in files, where they fit.
    line_ptr : int64[m + 1]; lines : int32
        Lines of the sites, counted from the first line of the symbol that holds them.
    edge_rest, node_rest
        What else facts say, packed; `graph.readback` reads it.
    """

    scope: Scope
    head: int
    commit: str
    tree: str
    resolver: str = ""
    keys: Keys
    node_kind: Bytes
    sort: Bytes
    alive: Bools
    names: Strings
    name_id: Ints
    paths: Strings
    path_id: Ints
    file: Ints
    line: Ints
    mark: Ints
    end: Ints
    digest: Bytes
    node_rest: Strings
    hash_value: NDArray[np.uint32]
    hash_node: Ints
    edge_kind: Bytes
    tier: Bytes
    form: Bytes
    edge_resolver: Bytes
    source: Ints
    digests: Bytes
    edge_from: Ints
    virtual: Bools
    count: Ints
    edge_rest: Strings
    member_ptr: Longs
    member_node: Ints
    member_role: Bytes
    member_line: Ints
    line_ptr: Longs
    lines: Ints
    _adjacency: tuple[Adjacency, Adjacency] | None = field(default=None, repr=False)
    _overriding: Overriding | None = field(default=None, repr=False)
    _unresolved: Ints | None = field(default=None, repr=False)
    _path_ranks: Ints | None = field(default=None, repr=False)

    @classmethod
    def build(
        cls,
        facts: Iterable[Fact | tuple[Hyperedge, int]],
        *,
        scope: Scope,
        head: int,
        commit: str,
        tree: str,
        resolver: str = "",
        previous: Incidence | None = None,
        births: Sequence[int] | None = None,
    ) -> Incidence:
        """Arrays of these facts; a fact said twice is kept once.

        Parameters
        ----------
        facts : iterable of Node, Hyperedge or (Hyperedge, int)
            The pair says which run a hyperedge is valid from; otherwise `births` does, in the
            order of the hyperedges, otherwise it is `head`.
        previous : Incidence or None
            Its nodes keep their ids, unless more than half of them are gone.

        Raises
        ------
        InputError
            Where there are not as many births as hyperedges.
        """
        known = None
        if previous is not None and 2 * int(previous.alive.sum()) >= previous.node_count:
            known = previous.node_kind.tolist(), previous.keys
        columns = assemble(facts, scope, births, head, known)
        return cls(scope=scope, head=head, commit=commit, tree=tree, resolver=resolver, **columns)

    def save(self, path: Path, *, durable: bool = True) -> None:
        """Write the arrays to a file in one step: a reader sees the old file or the new one.

        Parameters
        ----------
        durable : bool
            Whether it must be there after a power failure. What was renewed need not: a file is read in full
            after each start of the machine, and one that is not whole is built anew.

        Raises
        ------
        DiskError
            Where it cannot be written.
        """
        from graph import incidence_file

        incidence_file.write(self, path, durable)

    @classmethod
    def open(cls, path: Path, *, check: bool = True, anew: bool = False) -> Incidence:
        """Map a file that `save` wrote; arrays are read from it as they are needed.

        Parameters
        ----------
        check : bool
            Compare the body's checksum too, where nobody has done so since the file was written and
            the machine started (see `graph.soundness`).
        anew : bool
            Compare it whatever is noted.

        Raises
        ------
        CorruptError
            Where the file is cut off, altered, of another version or schema, or no such file.
        NotFoundError
            Where there is no file.
        """
        from graph import incidence_file

        return incidence_file.read(path, check=check, anew=anew)

    @property
    def node_count(self) -> int:
        """Ids given to nodes, those of nodes that are gone included."""
        return len(self.node_kind)

    @property
    def edge_count(self) -> int:
        """Hyperedges."""
        return len(self.edge_kind)

    def find(self, kind: NodeKind, key: str) -> int:
        """The id of a node; -1 where no fact mentions it."""
        code, raw = NODE_CODE[kind], key.encode("utf-8", "surrogatepass")
        value = np.uint32(crc32(raw, code))
        at = int(np.searchsorted(self.hash_value, value))
        while at < len(self.hash_value) and self.hash_value[at] == value:
            node = int(self.hash_node[at])
            if self.node_kind[node] == code and self.keys.raw(node) == raw:
                return node if self.alive[node] else -1
            at += 1
        return -1

    def nodes_of(self, kind: NodeKind) -> Ints:
        """Ids of all nodes of a kind, ascending."""
        return np.flatnonzero((self.node_kind == NODE_CODE[kind]) & self.alive).astype(np.int32)

    def kind(self, node: int) -> NodeKind:
        """The kind of a node."""
        return _NODE_KINDS[int(self.node_kind[node])]

    def sort_of(self, node: int) -> Sort | None:
        """What a Symbol is; None for other nodes."""
        code = int(self.sort[node])
        return _SORTS[code] if code < len(_SORTS) else None

    def edge_kind_of(self, edge: int) -> EdgeKind:
        """The kind of a hyperedge."""
        return _EDGE_KINDS[int(self.edge_kind[edge])]

    def tier_of(self, edge: int) -> Tier:
        """The tier of a hyperedge; exact where it has none, as a plain fact of the source."""
        code = int(self.tier[edge])
        return TIERS[code] if code < len(TIERS) else Tier.EXACT

    def path(self, node: int) -> str:
        """Path of a File, Symbol or Test in its repository; empty for other nodes."""
        at = int(self.path_id[node])
        return self.paths[at] if at >= 0 else ""

    def name(self, node: int) -> str:
        """The short name of a node: what it says itself, else what its key ends with."""
        at = int(self.name_id[node])
        if at >= 0:
            return self.names[at]
        return self.path(node) or self.keys[node].removeprefix(f"{self.scope}:").rpartition("/")[2]

    def qualname(self, node: int) -> str:
        """Qualified name of a Symbol, or id of a Test below its file; empty for other nodes."""
        start = f"{self.scope.file(self.path(node))}::"
        key = self.keys[node]
        if not key.startswith(start):
            return ""
        found = key[len(start) :]
        stem, sharp, ordinal = found.rpartition("#")
        return stem if sharp and ordinal.isdigit() and self.sort_of(node) is not None else found

    def members(self, edge: int) -> list[tuple[str, int]]:
        """Role and node of each member of a hyperedge, in their order."""
        first, last = self.member_ptr[edge : edge + 2].tolist()
        roles = [ROLES[code] for code in self.member_role[first:last]]
        return list(zip(roles, self.member_node[first:last].tolist(), strict=True))

    def in_role(self, edge: int, role: str) -> list[int]:
        """The nodes that stand in a role of a hyperedge."""
        first, last = self.member_ptr[edge : edge + 2].tolist()
        chosen = self.member_role[first:last] == ROLE_CODE[role]
        return [int(node) for node in self.member_node[first:last][chosen]]

    def dependents(self, edge: int) -> list[int]:
        """The nodes that depend on others by a hyperedge, by the schema's impact roles."""
        entered = {enters for _, enters in EDGES[self.edge_kind_of(edge)].impact}
        return [node for role, node in self.members(edge) if role in entered]

    def edges_of(self, kind: EdgeKind) -> Ints:
        """Ids of all hyperedges of a kind, ascending."""
        return np.flatnonzero(self.edge_kind == _EDGE_KINDS.index(kind)).astype(np.int32)

    def counted(self) -> dict[EdgeKind, int]:
        """How many hyperedges there are of each kind of which there are any."""
        counts = np.bincount(self.edge_kind, minlength=len(_EDGE_KINDS)).tolist()
        return {kind: count for kind, count in zip(_EDGE_KINDS, counts, strict=True) if count}

    def edge_lines(self, edge: int) -> list[int]:
        """The lines of a hyperedge's sites, relative to the first line of the symbol around them."""
        first, last = self.line_ptr[edge : edge + 2].tolist()
        found: list[int] = self.lines[first:last].tolist()
        return found

    def match(self, other: Incidence) -> Ints:
        """For each node of `other` the id of the same node here, dead or alive; -1 where unknown."""
        found = np.full(other.node_count, -1, np.int32)
        known: dict[tuple[int, bytes], int] = {}
        shared = min(self.node_count, other.node_count)
        ours, theirs = self.keys.raws(), other.keys.raws()
        kinds, their_kinds = self.node_kind.tolist(), other.node_kind.tolist()
        odd = [i for i in range(shared) if ours[i] != theirs[i] or kinds[i] != their_kinds[i]]
        found[:shared] = np.arange(shared)
        odd.extend(range(shared, other.node_count))
        if odd:
            known = dict(zip(zip(kinds, ours, strict=True), range(self.node_count), strict=True))
            found[odd] = [known.get((their_kinds[i], theirs[i]), -1) for i in odd]
        return found

    def facts(self) -> Iterator[Fact]:
        """The facts again: nodes that are alive, then hyperedges with the digests they had.

        The content digest of a fact's source file is not kept in arrays, and is empty.
        """
        from graph.readback import read_facts

        return read_facts(self)

    def adjacency(self, direction: Direction = Direction.UP) -> Adjacency:
        """Dependencies in one direction; derived once, or mapped with the file."""
        if self._adjacency is None:
            self._adjacency = adjacencies(self)
        return self._adjacency[0 if direction is Direction.UP else 1]

    def overriding(self) -> Overriding:
        """Which method stands in for which, by Overrides; derived once, or mapped with the file."""
        if self._overriding is None:
            self._overriding = overriding(self)
        return self._overriding

    def unresolved(self) -> Ints:
        """References that could not be followed, counted by the symbol that makes them: int[n].

        Derived once, or mapped with the file, where it is as narrow as the counts allow.
        """
        if self._unresolved is None:
            edges = self.edges_of(EdgeKind.UNRESOLVED)
            symbols = self.member_node[self.member_ptr[edges]]
            counts = np.bincount(symbols, weights=self.count[edges], minlength=self.node_count)
            self._unresolved = counts.astype(np.int32)
        return self._unresolved

    def path_ranks(self) -> Ints:
        """The place of each of `paths` among them in alphabetical order, and -1 last: for `path_id` -1.

        Paths that are written twice, as an overlay may have them, share a place.
        """
        if self._path_ranks is None:
            paths = list(self.paths)
            places = {path: at for at, path in enumerate(sorted(set(paths)))}
            self._path_ranks = np.array([*(places[path] for path in paths), -1], np.int32)
        return self._path_ranks
