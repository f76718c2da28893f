"""Facts as rows of the store's statements, and back: pure functions, no server.

A stored hyperedge's id is `tenant/name@run/digest`, so that those of a repository, and of one run, lie
side by side in the one unique index and are found by the beginning of their ids. Outside the store the
same hyperedge is called `digest@run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from operator import itemgetter
from typing import Any

from graph.cypher import EDGE_VALUES, Shape
from graph.errors import InputError, StoreError
from graph.facts import Hyperedge, Member, Node, Props, Provenance, Scope, Value
from graph.schema import EDGES, NODES, EdgeKind, Form, NodeKind, Resolver, Tier

ROWS = 2_500
"""Hyperedges or nodes of one transaction, at most."""
MEMBERS = 10_000
"""Members of one transaction's hyperedges, at most (a single hyperedge may have more)."""
TEXT = 6 << 20
"""Characters of one transaction's values, about: the embedded server takes messages of 16 MB."""
_ROW_TEXT = 12
"""Characters of a member in a message besides its key, about."""
_WIDEST = 7
"""Bytes of a character, at most: one that is escaped takes seven."""
KEY_BYTES = 7_900
"""The longest key: Neo4j's indexes hold no longer ones."""

_ODD = re.compile("[\ud800-\udfff\ufdd0]")
_ESCAPED = re.compile("\ufdd0([0-9a-f]{4})")
_FEW = 3
"""Members of most hyperedges, at most: what may stand together in them is found out once."""
_NAME = re.compile(r"[^\s/:@]+")


def check_scope(scope: Scope) -> None:
    """Refuse names that would run into other repositories' keys."""
    if not all(_NAME.fullmatch(name) for name in scope):
        raise InputError(
            f"{str(scope)!r} cannot name a repository in the store.",
            "Neither the tenant's name nor the repository's has spaces, slashes, colons or at-signs.",
        )


def stored_id(scope: Scope, digest: str, run: int) -> str:
    """The id under which the store keeps a hyperedge."""
    return f"{scope}@{run}/{digest}"


def inner_id(scope: Scope, outer: str) -> str:
    """`digest@run`, as the store keeps it; InputError where it is not such an id."""
    digest, _, run = outer.partition("@")
    if not digest or not run.isdecimal():
        raise InputError(f"{outer!r} is not the id of a hyperedge.", "It is written DIGEST@RUN.")
    return stored_id(scope, digest, int(run))


def outer_id(inner: str) -> str:
    """`digest@run` of an id as the store keeps it."""
    head, _, digest = inner.rpartition("/")
    return f"{digest}@{head.rpartition('@')[2]}"


def all_runs(scope: Scope) -> str:
    """The beginning of all hyperedges' ids, and of the keys of commits and runs, of a repository."""
    return f"{scope}@"


def one_run(scope: Scope, run: int) -> str:
    """The beginning of the ids of the hyperedges that a run wrote."""
    return f"{scope}@{run}/"


def key_prefix(scope: Scope, kind: NodeKind) -> str | None:
    """The beginning of a kind's keys in a repository; None where its nodes belong to no single one."""
    if kind in (NodeKind.CHANGE, NodeKind.RUN):
        return f"{scope}@"
    if kind in (NodeKind.FILE, NodeKind.SYMBOL, NodeKind.TEST, NodeKind.DIAGNOSIS):
        return f"{scope}:"
    return None


def plain(value: Any) -> Any:
    """A value as Bolt takes it. Text that UTF-8 cannot hold (lone surrogates) is escaped."""
    if isinstance(value, str):
        if value.isascii() or not _ODD.search(value):
            return str(value)
        return _ODD.sub(lambda found: f"\ufdd0{ord(found[0]):04x}", value)
    if isinstance(value, tuple):
        return [item if type(item) is int else plain(item) for item in value]
    return value


def original(value: Any) -> Any:
    """The value that `plain` was given."""
    if isinstance(value, str):
        if value.isascii() or "\ufdd0" not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)
    if isinstance(value, list):
        return tuple(original(item) for item in value)
    return value


def node_row(node: Node) -> list[Any]:
    """Key and properties of a node, in the schema's order; InputError for a property it has not."""
    props = dict(node.props)
    names = NODES[node.kind].props
    _refuse_unknown(node.kind, props, names)
    if len(node.key) > KEY_BYTES // 4 and len(node.key.encode("utf-8", "surrogatepass")) > KEY_BYTES:
        raise InputError(
            f"The key of a {node.kind} is longer than {KEY_BYTES} bytes: {node.key[:120]}….",
            "Leave the file out: no index of the store holds such names.",
        )
    return [plain(node.key), *(plain(props.get(name)) for name in names)]


def _refuse_unknown(kind: NodeKind | EdgeKind, props: dict[str, Value], names: Sequence[str]) -> None:
    if not props.keys() <= set(names):
        odd = ", ".join(sorted(props.keys() - set(names)))
        raise InputError(f"A {kind} has no property {odd}.", "graph/schema.py says which it has.")


def changed(node: Node, stored: dict[str, Any]) -> dict[str, Any]:
    """What a node now says otherwise than it is stored."""
    return {name: plain(value) for name, value in node.props if stored.get(name) != plain(value)}


@cache
def _role_order(kind: EdgeKind) -> dict[str, int]:
    return {role.name: place for place, role in enumerate(EDGES[kind].roles)}


@cache
def _admitted(kind: EdgeKind) -> frozenset[tuple[str, NodeKind]]:
    return frozenset((role.name, member) for role in EDGES[kind].roles for member in role.kinds)


def shape_of(edge: Hyperedge) -> Shape:
    """How much its memberships must say: no places where sorting by role and key gives their order."""
    order, natural = _role_order(edge.kind), True
    before, above = -1, ""
    for role, _, key, line, end, mark, digest in edge.members:
        if line != -1 or end != -1 or mark != -1 or digest:
            return Shape.LINED
        at = order[role]
        natural = natural and (at > before or (at == before and key > above))
        before, above = at, key
    return Shape.ROLE if natural else Shape.PLACED


@dataclass(slots=True)
class Load:
    """Hyperedges of one kind and shape, made ready for one transaction."""

    kind: EdgeKind
    shape: Shape
    edges: list[Hyperedge] = field(default_factory=list)
    members: int = 0
    text: int = 0

    def full(self) -> bool:
        """Whether another hyperedge would make it too large."""
        return len(self.edges) >= ROWS or self.members >= MEMBERS or self.text >= TEXT

    def rows(self, scope: Scope, run: int) -> tuple[Part, list[Part]]:
        """The part that creates the hyperedges with their commonest members, and those for other labels.

        Of a hyperedge with so many members that no message holds them, the first part brings some and others
        the rest; all are of one transaction.
        """
        labels: dict[NodeKind, int] = {}
        for edge in self.edges:
            for member in edge.members:
                labels[member.kind] = labels.get(member.kind, 0) + 1
        ranked = sorted(labels, key=lambda label: (-labels[label], label))
        parts = [Part(label, {}, []) for label in ranked]
        single = len(parts) == 1
        for edge in self.edges:
            values = _edge_values(edge, scope, run)
            members = _member_rows(edge.members, parts[0].places, self.shape, None if single else ranked[0])
            parts[0].rows.append([*values, members])
            for part in parts[1:]:
                members = _member_rows(edge.members, part.places, self.shape, part.label)
                if members:
                    part.rows.append([values[0], members])
        first, *more = parts[0].split(creating=True)
        return first, [*more, *(piece for part in parts[1:] for piece in part.split(creating=False))]


@dataclass(slots=True)
class Part:
    """What one statement is given: keys of nodes of one label, and rows that point into them."""

    label: NodeKind
    places: dict[str, int]
    """Keys as facts have them, each with its place."""
    rows: list[list[Any]]

    @property
    def keys(self) -> list[str]:
        """Keys of the nodes as Bolt takes them, in the order that rows point to."""
        return [key if key.isascii() else plain(key) for key in self.places]

    @property
    def joined(self) -> int:
        """How many relationships the statement must create."""
        return sum(len(row[-1]) for row in self.rows)

    def split(self, creating: bool) -> list[Part]:
        """The part, or pieces of it where it is too much for one message.

        Rows of a piece that is not the first only join members, as all do where not `creating`.
        """
        if _WIDEST * sum(map(len, self.places)) + _ROW_TEXT * (len(self.places) + self.joined) <= 2 * TEXT:
            return [self]
        keys = list(self.places)
        sizes = [len(plain(key).encode("utf-8")) + _ROW_TEXT for key in keys]
        if sum(sizes) + _ROW_TEXT * self.joined <= 2 * TEXT:
            return [self]
        pieces, text = [Part(self.label, {}, [])], 0
        for *values, members in self.rows:
            pieces[0].rows += [[*values, []]] if creating else []
            if not creating or len(pieces) > 1:
                pieces[-1].rows.append([values[0], []])
            for place, *said in members:
                if text > TEXT:
                    pieces.append(Part(self.label, {}, [[values[0], []]]))
                    text = 0
                piece = pieces[-1]
                text += _ROW_TEXT + (0 if keys[place] in piece.places else sizes[place])
                piece.rows[-1][-1].append([piece.places.setdefault(keys[place], len(piece.places)), *said])
        return pieces


def _edge_values(edge: Hyperedge, scope: Scope, run: int) -> list[Any]:
    digest = edge.digest()
    props = dict(edge.props)
    names = EDGES[edge.kind].props
    _refuse_unknown(edge.kind, props, names)
    return [
        stored_id(scope, digest, run),
        digest,
        plain(edge.provenance.source),
        edge.provenance.source_digest,
        edge.tier.value if edge.tier else None,
        edge.form.value,
        edge.provenance.resolver.value,
        *(plain(props.get(name)) for name in names),
    ]


def _member_rows(
    members: Sequence[Member], places: dict[str, int], shape: Shape, label: NodeKind | None
) -> list[list[Any]]:
    """Rows of the members of a label (of all, where None), which point into `places`."""
    placed = (
        list(enumerate(members))
        if label is None
        else [pair for pair in enumerate(members) if pair[1].kind is label]
    )
    at = places.setdefault
    if shape is Shape.ROLE:
        return [[at(m[2], len(places)), m[0]] for _, m in placed]
    if shape is Shape.PLACED:
        return [[at(m[2], len(places)), m[0], place] for place, m in placed]
    return [[at(m[2], len(places)), m[0], place, *m[3:]] for place, m in placed]


@cache
def _fits(kind: EdgeKind, standing: tuple[tuple[Any, ...], ...]) -> bool:
    """Whether (role, kind of node) pairs may make up a hyperedge of a kind."""
    required = {role.name for role in EDGES[kind].roles if role.required}
    return (
        bool(standing) and _admitted(kind).issuperset(standing) and required <= {role for role, _ in standing}
    )


def check_edge(edge: Hyperedge, scope: Scope) -> None:
    """Refuse a hyperedge of another repository, without members, or with ones that its kind has not.

    Properties must be sorted by name: their order is part of the digest, and is not stored.
    """
    if any(a[0] >= b[0] for a, b in pairwise(edge.props)):
        raise InputError(f"The properties of a {edge.kind} are not sorted by name: {edge.props}.")
    if edge.scope != scope:
        raise InputError(f"A {edge.kind} of {edge.scope} was to be written to {scope}.")
    standing: tuple[tuple[Any, ...], ...] = tuple([member[:2] for member in edge.members])
    if len(standing) <= _FEW and _fits(edge.kind, standing):
        return
    if not standing or not _admitted(edge.kind).issuperset(standing):
        roles = ", ".join(f"{m.role}:{m.kind}" for m in edge.members[:8]) or "nobody"
        raise InputError(
            f"A {edge.kind} cannot tie {roles} together.", "graph/schema.py says who may stand in it."
        )
    filled = {role for role, _ in standing}
    lacking = [r.name for r in EDGES[edge.kind].roles if r.required and r.name not in filled]
    if lacking:
        raise InputError(f"A {edge.kind} lacks its {', '.join(lacking)} ({edge.provenance.source}).")


def loads(edges: Iterable[Hyperedge]) -> Iterator[Load]:
    """Hyperedges grouped by kind and shape, in loads of one transaction each."""
    open_loads: dict[tuple[EdgeKind, Shape], Load] = {}
    for edge in edges:
        shape = shape_of(edge)
        load = open_loads.setdefault((edge.kind, shape), Load(edge.kind, shape))
        load.edges.append(edge)
        load.members += len(edge.members)
        load.text += 300 + sum([len(m.key) for m in edge.members]) + sum([_text(v) for _, v in edge.props])
        if load.full():
            yield open_loads.pop((edge.kind, shape))
    yield from open_loads.values()


def _text(value: Value) -> int:
    """Characters that a value takes in a message, about."""
    if isinstance(value, str):
        return len(value)
    return 8 + sum(map(_text, value)) if isinstance(value, tuple) else 8


def read_edge(kind: EdgeKind, scope: Scope, values: list[Any], members: list[list[Any]]) -> Hyperedge:
    """A hyperedge from a row of `facts/export_edges`; its digest is what it was when it was written."""
    _, digest, source, source_digest, tier, form, resolver = values[: len(EDGE_VALUES)]
    props: Props = tuple(
        (name, value if type(value) in _AS_THEY_ARE else original(value))
        for place, name in _sorted_props(kind)
        if (value := values[place]) is not None
    )
    order = _role_order(kind)
    try:
        if any(row[3] is not None for row in members):
            members.sort(key=_PLACE)
        else:
            members.sort(key=lambda row: (order[row[0]], original(row[2])))
        found = tuple([_member(row) for row in members])
        provenance = Provenance(original(source), source_digest, _RESOLVERS[resolver])
        return Hyperedge(kind, scope, found, provenance, _TIERS[tier], _FORMS[form], props)
    except (KeyError, TypeError, ValueError) as error:
        said = f"The {kind} {digest} has values or members that its kind cannot have: {error}."
        raise StoreError(said, "Run `maestro doctor`.") from error


_AS_THEY_ARE = (int, bool, float)
_PLACE = itemgetter(3)
# Looking a value up takes a tenth of the time of making a member of an enumeration from it.
_LABELS: dict[str, NodeKind] = {kind.value: kind for kind in NodeKind}
_TIERS: dict[str | None, Tier | None] = {None: None, **{tier.value: tier for tier in Tier}}
_FORMS: dict[str, Form] = {form.value: form for form in Form}
_RESOLVERS: dict[str, Resolver] = {resolver.value: resolver for resolver in Resolver}


@cache
def _sorted_props(kind: EdgeKind) -> tuple[tuple[int, str], ...]:
    """Names of a kind's own properties, sorted, each after its place in a row of the export."""
    places = enumerate(EDGES[kind].props, len(EDGE_VALUES))
    return tuple(sorted(places, key=itemgetter(1)))


def _member(row: list[Any]) -> Member:
    role, label, key, _, line, end, mark, digest = row
    if not key.isascii():
        key = original(key)
    if line is None:
        return Member(role, _LABELS[label], key)
    return Member(role, _LABELS[label], key, line, end, mark, digest)


def read_node(kind: NodeKind, key: str, stored: dict[str, Any]) -> Node:
    """A node from what is stored of it."""
    names = NODES[kind].props
    props = tuple(sorted((name, original(stored[name])) for name in names if stored.get(name) is not None))
    return Node(kind, original(key), props)
