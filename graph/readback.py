"""Facts read back from arrays, equal by digest to those that the arrays were built from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from graph.assembly import EDGE_CODE, NOT_VIRTUAL, ROLES
from graph.facts import Fact, Hyperedge, Member, Node, Props, Provenance, Value
from graph.schema import TIERS, EdgeKind, Form, NodeKind, Resolver

if TYPE_CHECKING:
    from graph.incidence import Incidence

_NODES, _EDGES = tuple(NodeKind), tuple(EdgeKind)
_FORMS, _RESOLVERS = tuple(Form), tuple(Resolver)
_CONTAINS, _SYMBOL = EDGE_CODE[EdgeKind.CONTAINS], ROLES.index("symbol")
_REPR = 0xC1


def read_facts(incidence: Incidence) -> Iterator[Fact]:
    """Nodes that are alive, then hyperedges; see `Incidence.facts`."""
    for node in incidence.alive.nonzero()[0].tolist():
        yield read_node(incidence, node)
    for edge in range(incidence.edge_count):
        yield read_edge(incidence, edge)


def read_node(incidence: Incidence, node: int) -> Node:
    """A node with its properties."""
    kind, key = incidence.kind(node), incidence.keys[node]
    rest = incidence.node_rest.raw(node)
    sort = incidence.sort_of(node)
    if rest:
        return Node(kind, key, _props(_unpacked(rest)))
    if sort is None:
        return Node(kind, key)
    own = (incidence.name(node), incidence.path(node), incidence.qualname(node), sort.value)
    return Node(kind, key, tuple(zip(("name", "path", "qualname", "sort"), own, strict=True)))


def read_edge(incidence: Incidence, edge: int) -> Hyperedge:
    """A hyperedge; what its source file held besides is not known, so its digest is empty."""
    rest = incidence.edge_rest.raw(edge)
    extra, odd, source = _unpacked(rest) if rest and rest != NOT_VIRTUAL else ([], [], "")
    props = dict(_props(extra))
    if rest == NOT_VIRTUAL:
        props["virtual"] = False
    lines = incidence.edge_lines(edge)
    if lines:
        props["lines"] = tuple(lines)
    if incidence.virtual[edge] and "virtual" not in props:
        props["virtual"] = True
    placed, files = int(incidence.source[edge]), incidence.scope.file("")
    tier = int(incidence.tier[edge])
    resolver = _RESOLVERS[incidence.edge_resolver[edge]]
    return Hyperedge(
        _EDGES[incidence.edge_kind[edge]],
        incidence.scope,
        _members(incidence, edge, {at: tuple(values) for at, *values in odd}),
        # The key says the path even where no fact describes the file any more.
        Provenance(incidence.keys[placed].removeprefix(files) if placed >= 0 else source, "", resolver),
        TIERS[tier] if tier < len(TIERS) else None,
        _FORMS[incidence.form[edge]],
        tuple(sorted(props.items())),
    )


def _members(
    incidence: Incidence, edge: int, odd: dict[int, tuple[int, int, int, str]]
) -> tuple[Member, ...]:
    first, last = incidence.member_ptr[edge : edge + 2].tolist()
    contains = incidence.edge_kind[edge] == _CONTAINS
    found = []
    for at in range(first, last):
        node, role = int(incidence.member_node[at]), int(incidence.member_role[at])
        line, end, mark, digest = int(incidence.member_line[at]), -1, -1, ""
        if at - first in odd:
            line, end, mark, digest = odd[at - first]
        elif contains and role == _SYMBOL:
            end, mark = int(incidence.end[node]), int(incidence.mark[node])
            digest = incidence.digest[node].tobytes().hex()
        key = incidence.keys[node]
        found.append(Member(ROLES[role], incidence.kind(node), key, line, end, mark, digest))
    return tuple(found)


def _unpacked(data: bytes) -> Any:
    if data[0] == _REPR:
        return ast.literal_eval(data[1:].decode("utf-8", "surrogatepass"))
    return msgspec.msgpack.decode(data)


def _props(pairs: list[tuple[str, Any]]) -> Props:
    return tuple((name, _value(value)) for name, value in pairs)


def _value(value: Value | list[str] | list[int]) -> Value:
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]
