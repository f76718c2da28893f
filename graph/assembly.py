"""From facts to the columns of an Incidence: ids, flattened members, what Contains says of symbols.

Written column by column, since a repository has hundreds of thousands of members: the loops that
remain run over nodes and hyperedges, not over members.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain, compress
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from graph.errors import InputError
from graph.facts import Hyperedge, Member, Node, Scope, Value
from graph.memory import uncollected
from graph.schema import EDGES, EdgeKind, Form, NodeKind, Resolver, Sort, Tier
from graph.strings import Keys, Strings

ROLES: tuple[str, ...] = tuple(dict.fromkeys(role.name for kind in EdgeKind for role in EDGES[kind].roles))
"""Every role of the schema; a role's place here is its code in `member_role`."""

NODE_CODE = {kind: code for code, kind in enumerate(NodeKind)}
EDGE_CODE = {kind: code for code, kind in enumerate(EdgeKind)}
ROLE_CODE = {role: code for code, role in enumerate(ROLES)}
SORT_CODE: dict[object, int] = {sort.value: code for code, sort in enumerate(Sort)}
NONE = 255
"""Code of "says nothing" in columns of one byte."""

Columns: TypeAlias = dict[str, Any]
"""Arrays and `Strings` by the names of the fields of Incidence."""

NOT_VIRTUAL = b"\xc2"
"""Stands for the most common rest of a hyperedge: it says that it is not virtual, and no more."""

_HEX = frozenset(string.hexdigits.lower())
_pack = msgspec.msgpack.Encoder().encode
_SYMBOL_PROPS = ("name", "path", "qualname", "sort")
_FIRST = itemgetter(0)


def assemble(
    facts: Iterable[Any],
    scope: Scope,
    births: Sequence[int] | None,
    head: int,
    previous: tuple[Sequence[int], Keys] | None,
) -> Columns:
    """The columns of an Incidence; see there for their shapes.

    Parameters
    ----------
    facts : iterable of Node, Hyperedge or (Hyperedge, int)
        The pair says which run a hyperedge is valid from.
    births : sequence of int or None
        The runs that the hyperedges are valid from, in their order; `head` where not given.
    previous : (node kinds, keys) or None
        Nodes of an earlier Incidence in the order of their ids, which they keep.
    """
    with uncollected():
        return _assembled(facts, scope, births, head, previous)


def _assembled(
    facts: Iterable[Any],
    scope: Scope,
    births: Sequence[int] | None,
    head: int,
    previous: tuple[Sequence[int], Keys] | None,
) -> Columns:
    nodes, edges, runs = _sorted_facts(facts, births, head)
    edges, runs, digests = _distinct(edges, runs)
    ids = _Ids(previous)
    described = _Nodes(nodes, ids)
    members = list(chain.from_iterable(map(attrgetter("members"), edges)))
    columns = _member_columns(edges, members, ids)
    columns |= _edge_columns(edges, scope, ids)
    rests, denied = columns.pop("rests"), columns.pop("denied")
    columns["digests"] = digests
    columns["edge_from"] = np.array(runs, np.int32).reshape(len(edges))
    odd = _contains_columns(columns, members, len(ids.keys))
    columns["edge_rest"] = _edge_rests(edges, columns, (rests, denied), odd, members)
    return columns | described.columns(len(ids.keys)) | _key_columns(ids)


def _sorted_facts(
    facts: Iterable[Any], births: Sequence[int] | None, head: int
) -> tuple[list[Node], list[Hyperedge], list[int]]:
    nodes: list[Node] = []
    edges: list[Hyperedge] = []
    runs: list[int] = []
    for fact in facts:
        cls = type(fact)
        if cls is Node:
            nodes.append(fact)
        elif cls is Hyperedge:
            edges.append(fact)
            runs.append(head)
        elif isinstance(fact[0], Hyperedge):
            edges.append(fact[0])
            runs.append(fact[1])
        else:  # (node, run), as a store may export it: a node is valid at all times
            nodes.append(fact[0])
    if births is not None:
        if len(births) != len(edges):
            raise InputError(f"{len(births)} births were given for {len(edges)} hyperedges.")
        runs = list(births)
    return nodes, edges, runs


def _distinct(
    edges: list[Hyperedge], runs: list[int]
) -> tuple[list[Hyperedge], list[int], NDArray[np.uint8]]:
    """Hyperedges without repeats (the first stays), their runs and their digests (uint8[m, 16])."""
    texts = [edge.digest() for edge in edges]
    first = dict(zip(reversed(texts), range(len(texts) - 1, -1, -1), strict=True))
    if len(first) < len(texts):
        kept = sorted(first.values())
        edges, runs = [edges[i] for i in kept], [runs[i] for i in kept]
        texts = [texts[i] for i in kept]
    return edges, runs, np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(-1, 16)


class _Ids:
    """Dense ids by kind and key. Keys of an earlier Incidence keep theirs, dead or alive."""

    def __init__(self, previous: tuple[Sequence[int], Keys] | None) -> None:
        self.of: list[dict[str, int]] = [{} for _ in NODE_CODE]
        self.keys: list[str] = []
        self.kinds: list[int] = []
        if previous is not None:
            self.kinds, self.keys = list(previous[0]), list(previous[1])
            for at, (kind, key) in enumerate(zip(self.kinds, self.keys, strict=True)):
                self.of[kind][key] = at
        self.alive = bytearray(len(self.keys))

    def take(self, kind: int, key: str) -> int:
        """The id of a node, which is alive from now on."""
        at = self.of[kind].setdefault(key, len(self.keys))
        if at == len(self.keys):
            self.keys.append(key)
            self.kinds.append(kind)
            self.alive.append(1)
        self.alive[at] = 1
        return at


class _Nodes:
    """What nodes say of themselves: places of distinct names and paths, sorts, and the rest."""

    def __init__(self, nodes: list[Node], ids: _Ids) -> None:
        self.names: dict[str, int] = {}
        self.paths: dict[str, int] = {}
        self.rows: list[tuple[int, int, int, int]] = []
        self.rests: dict[int, bytes] = {}
        for node in nodes:
            at = ids.take(NODE_CODE[node.kind], node.key)
            props = node.props
            if len(props) == 4 and tuple(map(_FIRST, props)) == _SYMBOL_PROPS:
                (_, name), (_, path), _, (_, sort) = props
                self._add(at, name, path, sort)
            elif props:
                said = dict(props)
                self._add(at, said.get("name"), said.get("path"), said.get("sort"))
                self.rests[at] = _packed(props)

    def _add(self, at: int, name: Value | None, path: Value | None, sort: Value | None) -> None:
        names, paths = self.names, self.paths
        name_at = -1 if name is None else names.setdefault(str(name), len(names))
        path_at = -1 if path is None else paths.setdefault(str(path), len(paths))
        self.rows.append((at, name_at, path_at, SORT_CODE.get(sort, NONE)))

    def columns(self, size: int) -> Columns:
        rows = np.array(self.rows, np.int32).reshape(-1, 4)
        name_id, path_id = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        sort = np.full(size, NONE, np.uint8)
        name_id[rows[:, 0]], path_id[rows[:, 0]], sort[rows[:, 0]] = rows[:, 1], rows[:, 2], rows[:, 3]
        return {
            "names": Strings.of(list(self.names)),
            "name_id": name_id,
            "paths": Strings.of(list(self.paths)),
            "path_id": path_id,
            "sort": sort,
            "node_rest": Strings.of_bytes([self.rests.get(at, b"") for at in range(size)]),
        }


def packed_node(node: Node) -> tuple[int, bytes]:
    """What a node says of itself, as `sort` and `node_rest` have it."""
    props = node.props
    if len(props) == 4 and tuple(map(_FIRST, props)) == _SYMBOL_PROPS:
        return SORT_CODE.get(props[3][1], NONE), b""
    return SORT_CODE.get(dict(props).get("sort"), NONE), _packed(props) if props else b""


def _packed(value: object) -> bytes:
    try:
        return _pack(value)
    except UnicodeEncodeError:
        return b"\xc1" + repr(value).encode("utf-8", "surrogatepass")  # 0xc1 begins no MessagePack


def _member_columns(edges: list[Hyperedge], members: list[Member], ids: _Ids) -> Columns:
    total = len(members)
    ptr = np.zeros(len(edges) + 1, np.int64)
    np.cumsum([len(edge.members) for edge in edges], out=ptr[1:])
    roles = np.fromiter(map(ROLE_CODE.__getitem__, map(itemgetter(0), members)), np.uint8, total)
    lines = np.fromiter(map(itemgetter(3), members), np.int32, total)
    # An enumeration's own hash is a Python function: its members are told apart by identity.
    kinds = list(map(id, map(itemgetter(1), members)))
    keys = list(map(itemgetter(2), members))
    at = np.empty(total, np.int32)
    marks = np.fromiter(kinds, np.uint64, total)
    for kind, code in NODE_CODE.items():
        chosen = marks == id(kind)
        if chosen.any():
            at[chosen] = _looked_up(list(compress(keys, chosen.tolist())), code, ids)
    return {"member_ptr": ptr, "member_node": at, "member_role": roles, "member_line": lines}


def _looked_up(keys: list[str], code: int, ids: _Ids) -> list[int]:
    try:
        found = list(map(ids.of[code].__getitem__, keys))
    except KeyError:  # a member of another family, or one that nobody described
        return [ids.take(code, key) for key in keys]
    alive = np.frombuffer(ids.alive, np.uint8)
    alive[found] = 1
    return found


def _edge_columns(edges: list[Hyperedge], scope: Scope, ids: _Ids) -> Columns:
    size = len(edges)
    tiers: dict[Tier | None, int] = {tier: code for code, tier in enumerate(Tier)}
    tiers[None] = NONE
    codes: tuple[tuple[str, dict[Any, int], str], ...] = (
        ("edge_kind", EDGE_CODE, "kind"),
        ("tier", tiers, "tier"),
        ("form", {form: code for code, form in enumerate(Form)}, "form"),
    )
    columns: Columns = {
        name: np.fromiter(map(table.__getitem__, map(attrgetter(field), edges)), np.uint8, size)
        for name, table, field in codes
    }
    resolvers = {resolver: code for code, resolver in enumerate(Resolver)}
    origins = [edge.provenance for edge in edges]
    said_by = map(resolvers.__getitem__, map(attrgetter("resolver"), origins))
    columns["edge_resolver"] = np.fromiter(said_by, np.uint8, size)
    files, prefix = ids.of[NODE_CODE[NodeKind.FILE]], scope.file("")
    places = {source: files.get(prefix + source, -1) for source in {origin.source for origin in origins}}
    columns["source"] = np.fromiter((places[origin.source] for origin in origins), np.int32, size)
    return columns | _edge_props(edges)


def _edge_props(edges: list[Hyperedge]) -> Columns:
    """The properties that kernels and proofs read: virtual, count, and the lines of the sites.

    `rests` are the properties that these columns do not give back, by hyperedge; `denied` are
    hyperedges that say that they are not virtual, which is not the same as not to say it.
    """
    size = len(edges)
    virtual, counts = np.zeros(size, np.bool_), np.zeros(size, np.int32)
    lines: list[int] = []
    sizes = np.zeros(size + 1, np.int64)
    rests: dict[int, list[tuple[str, Value]]] = {}
    denied: list[int] = []
    for at, edge in enumerate(edges):
        for pair in edge.props:
            name, value = pair
            if name == "lines" and type(value) is tuple and value:
                lines.extend(value)  # type: ignore[arg-type]
                sizes[at + 1] = len(value)
            elif name == "virtual" and type(value) is bool:
                virtual[at] = value
                if not value:
                    denied.append(at)
            else:
                rests.setdefault(at, []).append(pair)
                if name == "count":
                    counts[at] = int(value)  # type: ignore[arg-type]
    return {
        "virtual": virtual,
        "count": counts,
        "line_ptr": np.cumsum(sizes),
        "lines": np.array(lines, np.int32).reshape(len(lines)),
        "rests": rests,
        "denied": denied,
    }


def _contains_columns(columns: Columns, members: list[Member], size: int) -> list[int]:
    """Fill file, line, mark, end and digest of symbols; returns members that hold more than fits.

    What fits: a symbol of Contains with a digest of 32 hexadecimal characters; any other member
    with a first line alone.
    """
    for name in ("file", "line", "mark", "end"):
        columns[name] = np.full(size, -1, np.int32)
    columns["digest"] = np.zeros((size, 16), np.uint8)
    owner = np.repeat(np.arange(len(columns["edge_kind"])), np.diff(columns["member_ptr"]))
    inside = columns["edge_kind"][owner] == EDGE_CODE[EdgeKind.CONTAINS]
    roles, nodes = columns["member_role"], columns["member_node"]
    files = np.full(len(columns["edge_kind"]), -1, np.int32)
    heads = np.flatnonzero(inside & (roles == ROLE_CODE["file"]))
    files[owner[heads]] = nodes[heads]
    held = inside & (roles == ROLE_CODE["symbol"])
    at = np.flatnonzero(held)
    symbols, chosen = nodes[at], [members[i] for i in at.tolist()]
    columns["file"][symbols] = files[owner[at]]
    for name, place in (("line", 3), ("end", 4), ("mark", 5)):
        columns[name][symbols] = np.fromiter(map(itemgetter(place), chosen), np.int32, len(chosen))
    texts = [member.digest for member in chosen]
    plain = [len(text) == 32 and _HEX.issuperset(text) for text in texts]
    raw = bytes.fromhex("".join(t if p else _hashed(t) for t, p in zip(texts, plain, strict=True)))
    columns["digest"][symbols] = np.frombuffer(raw, np.uint8).reshape(-1, 16)
    _, first = np.unique(symbols, return_index=True)
    fits = np.zeros(len(members), np.bool_)
    fits[at[first]] = np.array(plain, np.bool_)[first] if len(at) else True
    others = np.flatnonzero(~held).tolist()
    fits[[i for i in others if members[i][4:] == (-1, -1, "")]] = True
    if len(first) < len(at):  # a symbol said to be held twice: only its last word is in the columns
        fits[at] = False
    return np.flatnonzero(~fits).tolist()


def _hashed(text: str) -> str:
    if not text:
        return "0" * 32
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _edge_rests(
    edges: list[Hyperedge],
    columns: Columns,
    said: tuple[dict[int, list[tuple[str, Value]]], list[int]],
    odd: list[int],
    members: list[Member],
) -> Strings:
    """What no column holds of a hyperedge, packed: (properties, odd members, source).

    Empty for almost all: only what differs from what the columns give back is written.
    """
    strange: dict[int, list[tuple[int, int, int, int, str]]] = {}
    owners = (np.searchsorted(columns["member_ptr"], odd, side="right") - 1).tolist()
    for at, edge in zip(odd, owners, strict=True):
        strange.setdefault(edge, []).append((at - int(columns["member_ptr"][edge]), *members[at][3:]))
    lost = {at: edges[at].provenance.source for at in np.flatnonzero(columns["source"] < 0).tolist()}
    rests = [b""] * len(edges)
    props, denied = said
    for at in denied:
        rests[at] = NOT_VIRTUAL
    for at in {*props, *strange, *(at for at, source in lost.items() if source)}:
        own = props.get(at, []) + ([("virtual", False)] if rests[at] else [])
        rests[at] = _packed((own, strange.get(at, []), lost.get(at, "")))
    return Strings.of_bytes(rests)


def _key_columns(ids: _Ids) -> Columns:
    """Keys, kinds, who is alive, and the sorted hashes that `find` searches."""
    size = len(ids.keys)
    raws = [key.encode("utf-8", "surrogatepass") for key in ids.keys]
    hashes = np.fromiter(map(crc32, raws, ids.kinds), np.uint32, size)
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    return {
        "keys": Keys.of_bytes(raws),
        "node_kind": np.array(ids.kinds, np.uint8).reshape(size),
        "alive": np.frombuffer(bytes(ids.alive), np.bool_),
        "hash_value": hashes[order],
        "hash_node": order,
    }
