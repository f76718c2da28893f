"""What differs between both sides of a change, and from which symbols its effects start.

The digests of a symbol say what of it changed: code, signature, decoration, or only what no run
can observe. Where none of these moved but the symbol's dependencies did, what it refers to is
resolved otherwise than before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import Dependencies, followed, overriding
from graph.assembly import EDGE_CODE, NODE_CODE
from graph.incidence import Incidence
from graph.ingest.git import FileChange
from graph.overlay import Version, align, among
from graph.pairing import Shape, pair
from graph.schema import DEFAULT_TIER, EdgeKind, NodeKind, Sort

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]


@unique
class Reason(StrEnum):
    """Why effects start at a symbol."""

    BODY = "body"
    SIGNATURE = "signature"
    DECORATORS = "decorators"
    BASES = "bases"
    CLASS_BODY = "class body"
    VALUE = "value"
    IMPORT_TIME = "import-time code"
    IMPORTS = "imports"
    ADDED = "added"
    DELETED = "deleted"
    RENAMED = "renamed"
    RESOLUTION = "resolution moved"
    FILE = "file changed"


_CODE_REASON = {Sort.MODULE: Reason.IMPORT_TIME, Sort.CLASS: Reason.CLASS_BODY,
                Sort.CONSTANT: Reason.VALUE, Sort.ATTRIBUTE: Reason.VALUE}  # fmt: skip
_CODE, _SIGNATURE, _DECORATION, _DOCUMENTATION = range(4)
"""Digests of a symbol. A module's signature are its imports, its decoration what runs in a script."""


class Moved(NamedTuple):
    """A dependency that only one side has: what kind, on which node, and which side has it."""

    kind: EdgeKind
    target: str
    version: Version


class Start(NamedTuple):
    """A node that the effects of a change start from.

    `key` is the head's where both sides hold the node. `other` is, for a renamed one, the key it
    had or has got; `moved` are the dependencies that make `Reason.RESOLUTION`.
    """

    kind: NodeKind
    key: str
    version: Version
    reasons: tuple[Reason, ...]
    other: str = ""
    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change comes to, before anything is followed.

    Attributes
    ----------
    starts : tuple of Start
        By key. A renamed symbol starts twice, under both of its keys.
    moved : mapping of node id of the base to node id of the head
        Contents of renamed files that count as the same on both sides; `overlay.unite` takes it.
    moved_files : tuple of (old path, new path)
    quiet : tuple of str
        Changed files in which nothing that runs differs: comments, docstrings, formatting,
        annotations that nobody evaluates.
    quiet_symbols : int
        Symbols whose docstring or annotations alone differ.
    unsupported : tuple of str
        Changed files that no reader knows: what they do to the code was not followed.
    unparsed : tuple of str
        Changed files that one side could not be read in; all their symbols start.
    """

    starts: tuple[Start, ...]
    moved: Mapping[int, int]
    moved_files: tuple[tuple[str, str], ...]
    quiet: tuple[str, ...]
    quiet_symbols: int
    unsupported: tuple[str, ...]
    unparsed: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The outcome in one line, for people."""
        files = len(self.quiet)
        if self.starts or not files:
            return f"{_counted(len(self.starts), 'symbol')} changed" if self.starts else "nothing changed"
        return f"{_counted(files, 'file')} changed, nothing that runs differs"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def compare(base: Incidence, head: Incidence, changes: Sequence[FileChange]) -> Comparison:
    """Set both sides beside each other; `changes` are the files that differ between their trees."""
    return _Comparer(base, head, changes).compare()


class _Comparer:
    """Both sides on the ids of their union: those of the head, then nodes that only the base has."""

    def __init__(self, base: Incidence, head: Incidence, changes: Sequence[FileChange]) -> None:
        self.base, self.head, self.changes = base, head, changes
        self.moved = _moved_nodes(base, head, changes)
        self.ids = align(base, head, self.moved)
        self.size = max(head.node_count, int(self.ids.max(initial=-1)) + 1)
        self.of_base = np.full(self.size, -1, np.int32)
        self.of_base[self.ids] = np.arange(base.node_count, dtype=np.int32)
        self.in_base, self.in_head = np.zeros(self.size, np.bool_), np.zeros(self.size, np.bool_)
        self.in_base[self.ids[base.alive]] = True
        self.in_head[: head.node_count] = head.alive
        self.old, self.new = _pairs(base, self.ids, self.size), _pairs(head, None, self.size)
        self.reasons: dict[int, list[Reason]] = defaultdict(list)
        self.others: dict[int, str] = {}
        self.shifts: dict[int, list[Moved]] = defaultdict(list)
        self.unparsed: set[str] = set()
        self.changed = {path for change in changes for path in (change.old_path, change.new_path)}
        self.drifted: list[int] = []
        """Symbols of unchanged files whose digests differ."""
        self.imports: list[int] = []
        """Modules whose import statements differ."""
        self.quiet_symbols = 0

    def compare(self) -> Comparison:
        self.find_unparsed()
        self.compare_digests()
        self.find_one_sided()
        unsupported = self.find_unsupported()
        self.compare_dependencies()
        self.compare_imports()
        loud = {self.path(node) for node, why in self.reasons.items() if why != [Reason.RESOLUTION]}
        loud.update(self.path(node) for node in self.imports)
        quiet = []
        for change in self.changes:
            paths = {change.old_path, change.new_path} - {""}
            if change.status in ("modified", "renamed") and not paths & (loud | self.unparsed | unsupported):
                quiet.append(change)
        return Comparison(
            starts=tuple(sorted(map(self.start, self.reasons))),
            moved=self.moved,
            moved_files=tuple((c.old_path, c.new_path) for c in self.changes if c.status == "renamed"),
            quiet=tuple(c.new_path for c in quiet if c.status == "modified" or c.similarity < 100),
            quiet_symbols=self.quiet_symbols,
            unsupported=tuple(sorted(unsupported)),
            unparsed=tuple(sorted(self.unparsed)),
        )

    def compare_digests(self) -> None:
        """Symbols of both sides whose digests differ."""
        both = np.flatnonzero(self.in_base & self.in_head)
        mine = both[self.head.node_kind[both] == NODE_CODE[NodeKind.SYMBOL]]
        old = np.ascontiguousarray(self.base.digest[self.of_base[mine]]).view(np.uint32)
        new = np.ascontiguousarray(self.head.digest[mine]).view(np.uint32)
        differs = old != new
        runs = differs[:, :_DOCUMENTATION].any(axis=1)
        self.quiet_symbols = int((differs[:, _DOCUMENTATION] & ~runs).sum())
        for node, parts in zip(mine[runs].tolist(), differs[runs].tolist(), strict=True):
            sort = self.head.sort_of(node)
            if self.path(node) in self.unparsed:
                self.reasons[node].append(Reason.FILE)
                continue
            if self.path(node) not in self.changed:
                # The text is the same: a name in it stands for something else outside than before.
                self.drifted.append(node)
                continue
            if sort is Sort.MODULE and not parts[_CODE]:
                self.imports.append(node)
                continue
            if parts[_CODE]:
                self.reasons[node].append(_CODE_REASON.get(sort, Reason.BODY) if sort else Reason.BODY)
            if parts[_SIGNATURE] and sort is not Sort.MODULE:
                self.reasons[node].append(Reason.BASES if sort is Sort.CLASS else Reason.SIGNATURE)
            if parts[_DECORATION] and sort is not Sort.MODULE:
                self.reasons[node].append(Reason.DECORATORS)

    def find_one_sided(self) -> None:
        """Symbols of one side: added, deleted, or renamed where an equal one stands on the other."""
        added, deleted = (
            self.one_sided(self.in_head & ~self.in_base),
            self.one_sided(self.in_base & ~self.in_head),
        )
        for node in (*added, *deleted):
            if self.path(node) in self.unparsed:
                self.reasons[node].append(Reason.FILE)
        added = [node for node in added if node not in self.reasons]
        deleted = [node for node in deleted if node not in self.reasons]
        for old, new in pair(list(map(self.shape, deleted)), list(map(self.shape, added))):
            self.others[old], self.others[new] = self.key(new), self.key(old)
            self.reasons[old].append(Reason.RENAMED)
            self.reasons[new].append(Reason.RENAMED)
        for nodes, reason in ((added, Reason.ADDED), (deleted, Reason.DELETED)):
            for node in nodes:
                if node not in self.others:
                    self.reasons[node].append(reason)

    def one_sided(self, chosen: Bools) -> list[int]:
        kinds = np.full(self.size, NODE_CODE[NodeKind.SYMBOL], np.uint8)
        kinds[self.ids] = self.base.node_kind
        kinds[: self.head.node_count] = self.head.node_kind
        nodes: list[int] = np.flatnonzero(chosen & (kinds == NODE_CODE[NodeKind.SYMBOL])).tolist()
        return nodes

    def shape(self, node: int) -> Shape:
        side, at = self.side(node)
        digest = side.digest[at, :8].tobytes()
        return Shape(node, side.path(at), side.qualname(at), side.sort_of(at), digest)

    def find_unparsed(self) -> None:
        """Changed files of which one side could not be read: what of them changed is not known."""
        for change in self.changes:
            old, new = _state(self.base, change.old_path), _state(self.head, change.new_path)
            if "diagnosed" in (old, new):
                self.unparsed.update({change.new_path, change.old_path} - {""})

    def find_unsupported(self) -> set[str]:
        """Changed files without symbols on either side; their File starts where there is one."""
        found = set()
        for change in self.changes:
            states = _state(self.base, change.old_path), _state(self.head, change.new_path)
            if "read" in states or "diagnosed" in states:
                continue
            found.add(change.new_path or change.old_path)
            for side, path in ((self.base, change.old_path), (self.head, change.new_path)):
                node = side.find(NodeKind.FILE, side.scope.file(path)) if path else -1
                if node >= 0:
                    union = int(self.ids[node]) if side is self.base else node
                    self.reasons[union] = [Reason.FILE]
        return found

    def compare_dependencies(self) -> None:
        """Unchanged symbols and tests that depend on other nodes than before.

        Who depends on a start on either side is left out: it is reached from there. Weak tiers say
        nothing here: any new definition of a name moves them.
        """
        starts = np.zeros(self.size, np.bool_)
        starts[list(self.reasons)] = True
        rewritten, explained = np.zeros_like(starts), starts.copy()
        rewritten[self.imports] = True
        for pairs in (self.old, self.new):
            # From a base method nothing leads to what overrides it.
            led = starts[pairs.targets] & (pairs.kinds != EDGE_CODE[EdgeKind.OVERRIDES])
            explained[pairs.users[led]] = True
        both = self.in_base & self.in_head
        for pairs, others, version in (
            (self.old, self.new, Version.BASE),
            (self.new, self.old, Version.HEAD),
        ):
            alone = pairs.only(others)
            users, targets, kinds = pairs.users[alone], pairs.targets[alone], pairs.kinds[alone]
            open_ = both[users] & ~explained[users]
            # Where the import statements themselves differ, `compare_imports` judges what that runs.
            open_ &= ~((kinds == EDGE_CODE[EdgeKind.IMPORTS]) & rewritten[users])
            for user, target, kind in zip(
                users[open_].tolist(), targets[open_].tolist(), kinds[open_].tolist(), strict=True
            ):
                self.shifts[user].append(Moved(_EDGE_KINDS[kind], self.key(target), version))
        for user in {*self.shifts, *(node for node in self.drifted if not explained[node])}:
            self.reasons[user].append(Reason.RESOLUTION)

    def compare_imports(self) -> None:
        """Modules whose import statements differ, where that runs other code than before.

        An import alone does nothing for those who import the module, unless it brings in, or no
        longer does, a module with statements that run for their effect.
        """
        if not self.imports:
            return
        old, new = self.old.imported(), self.new.imported()
        for node in self.imports:
            before, after = _closure(old, node), _closure(new, node)
            if node not in self.reasons and any(map(self.acts, before ^ after)):
                self.reasons[node].append(Reason.IMPORTS)

    def acts(self, module: int) -> bool:
        """Has a module statements that bind no name, and is it no start of its own?"""
        side, at = self.side(module)
        return module not in self.reasons and bool(side.digest[at, :4].any())

    def side(self, node: int) -> tuple[Incidence, int]:
        """The side that describes a node, the head first, and its id there."""
        if node < self.head.node_count and self.in_head[node]:
            return self.head, node
        return self.base, int(self.of_base[node])

    def key(self, node: int) -> str:
        side, at = self.side(node)
        return side.keys[at]

    def path(self, node: int) -> str:
        side, at = self.side(node)
        return side.path(at)

    def qualname(self, node: int) -> str:
        side, at = self.side(node)
        return side.qualname(at)

    def start(self, node: int) -> Start:
        side, at = self.side(node)
        version = Version.HEAD if not self.in_base[node] else Version.BASE
        if self.in_base[node] and self.in_head[node]:
            version = Version.BOTH
        moved = tuple(sorted(set(self.shifts.get(node, ()))))
        return Start(
            side.kind(at), side.keys[at], version, tuple(self.reasons[node]), self.others.get(node, ""), moved
        )


_EDGE_KINDS = tuple(EdgeKind)


class _Pairs(NamedTuple):
    """Who depends on whom on one side, in ids of the union: int64 codes beside the three columns."""

    codes: Longs
    users: Ints
    targets: Ints
    kinds: NDArray[np.uint8]

    def imported(self) -> dict[int, list[int]]:
        """What each module imports."""
        found: dict[int, list[int]] = defaultdict(list)
        chosen = self.kinds == EDGE_CODE[EdgeKind.IMPORTS]
        for user, target in zip(self.users[chosen].tolist(), self.targets[chosen].tolist(), strict=True):
            found[user].append(target)
        return found

    def only(self, other: _Pairs) -> Longs:
        """Places of pairs that the other side lacks."""
        return np.flatnonzero(~among(self.codes, other.codes))


def _pairs(side: Incidence, ids: Ints | None, size: int) -> _Pairs:
    """Dependencies that a default cone follows. An overriding method depends on what it stands in
    for: where that moved, it is the method that virtual calls reach otherwise than before."""
    plain: Dependencies = followed(side)
    over = overriding(side)
    targets = np.concatenate((plain.leaves, over.base))
    users = np.concatenate((plain.enters, over.method))
    edges = np.concatenate((plain.edge, over.edge))
    kept = np.concatenate((plain.tier, over.tier)) <= DEFAULT_TIER.rank
    targets, users, kinds = targets[kept], users[kept], side.edge_kind[edges[kept]]
    if ids is not None:
        targets, users = ids[targets], ids[users]
    return _Pairs(users.astype(np.int64) * size + targets, users, targets, kinds)


def _closure(imported: Mapping[int, list[int]], module: int) -> set[int]:
    """All that a module's import brings in."""
    seen, waiting = {module}, [module]
    while waiting:
        for other in imported.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _moved_nodes(base: Incidence, head: Incidence, changes: Iterable[FileChange]) -> dict[int, int]:
    """Nodes of renamed files that stand in the new file under the same name, kind and ordinal."""
    renamed = {c.old_path: c.new_path for c in changes if c.status == "renamed"}
    found: dict[int, int] = {}
    places = [at for at, path in enumerate(base.paths) if path in renamed]
    for node in np.flatnonzero(np.isin(base.path_id, places) & base.alive).tolist():
        old_path = base.path(node)
        rest = base.keys[node].removeprefix(base.scope.file(old_path))
        new = head.find(base.kind(node), head.scope.file(renamed[old_path]) + rest)
        if new >= 0:
            found[node] = new
    return found


def _state(side: Incidence, path: str) -> str:
    """What a side knows of a file: "read", "diagnosed" (not one symbol but the module) or nothing."""
    node = side.find(NodeKind.FILE, side.scope.file(path)) if path else -1
    if node < 0:
        return ""
    if int((side.file == node).sum()) > 1:
        return "read"
    kinds = set()
    places = np.flatnonzero(side.member_node == node)
    for edge in (np.searchsorted(side.member_ptr, places, "right") - 1).tolist():
        kinds.add(side.edge_kind_of(edge))
        # That the type engine had nothing to say does not keep our own reader from reading.
        told = (side.keys[diagnosis].rpartition("!")[2] for diagnosis in side.in_role(edge, "diagnosis"))
        if any(not code.startswith("engine.") for code in told):
            return "diagnosed"
    return "read" if EdgeKind.CONTAINS in kinds else ""
