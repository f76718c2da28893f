"""The statements kept in `cypher/<topic>/<name>.cypher`: loaded once, checked, never assembled from input.

A file is one statement under a header of comments:

    // What it does, in a sentence or more.
    // params: $keys (keys of nodes), $scope
    // columns: key, props

`params` and `columns` may be `none`. A label or property list cannot be a parameter in Cypher; such
a place is written `{{name}}` and filled from the schema's enumerations alone (see `PLACES`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import cache
from pathlib import Path

from graph.errors import SchemaError
from graph.schema import EDGES, NODES, EdgeKind, NodeKind

ROOT = Path(__file__).resolve().parent.parent / "cypher"

EDGE_VALUES = ("id", "digest", "source", "source_digest", "tier", "form", "resolver")
"""Properties of every hyperedge that a row brings, in a row's order; `scope`, `from`, `to` come beside."""

_HEADER = re.compile(r"//\s?(.*)")
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_PARAM = re.compile(r"\$(\w+)")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


@unique
class Shape(StrEnum):
    """What a membership says besides its role; the fewer properties, the cheaper the relationship."""

    ROLE = "role"
    PLACED = "placed"
    LINED = "lined"

    @property
    def values(self) -> tuple[str, ...]:
        """Properties of the IN relationship, in the order that a member's row has them."""
        return _SHAPES[self]


_SHAPES = {
    Shape.ROLE: ("role",),
    Shape.PLACED: ("role", "place"),
    Shape.LINED: ("role", "place", "line", "end", "mark", "digest"),
}


@dataclass(frozen=True, slots=True)
class Filling:
    """What a statement's places are filled from."""

    node: NodeKind | None = None
    edge: EdgeKind | None = None
    shape: Shape | None = None


def _node_values(filling: Filling) -> str:
    assert filling.node is not None
    return _pairs("r", NODES[filling.node].props, 1)


def _edge_values(filling: Filling) -> str:
    assert filling.edge is not None
    return _pairs("r", (*EDGE_VALUES, *EDGES[filling.edge].props), 0)


def _edge_columns(filling: Filling) -> str:
    assert filling.edge is not None
    return ", ".join(f"h.`{name}`" for name in (*EDGE_VALUES, *EDGES[filling.edge].props))


def _members(filling: Filling) -> str:
    assert filling.edge is not None
    return f"r[{len(EDGE_VALUES) + len(EDGES[filling.edge].props)}]"


def _member_values(filling: Filling) -> str:
    assert filling.shape is not None
    return _pairs("m", filling.shape.values, 1)


def _pairs(row: str, names: Iterable[str], first: int) -> str:
    return ", ".join(f"`{name}`: {row}[{place}]" for place, name in enumerate(names, first))


def _label(kind: StrEnum | None) -> str:
    assert kind is not None
    return str(kind)


PLACES: dict[str, tuple[str, Callable[[Filling], str]]] = {
    "node": ("node", lambda f: _label(f.node)),
    "node_values": ("node", _node_values),
    "edge": ("edge", lambda f: _label(f.edge)),
    "edge_values": ("edge", _edge_values),
    "edge_columns": ("edge", _edge_columns),
    "members": ("edge", _members),
    "member_values": ("shape", _member_values),
}
"""Every place that a statement may have: the part of `Filling` that it needs, and how it is written."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and what its header promises."""

    name: str
    purpose: str
    params: frozenset[str]
    columns: tuple[str, ...]
    body: str

    @property
    def needs(self) -> frozenset[str]:
        """Which parts of `Filling` the statement's places take."""
        return frozenset(PLACES[place][0] for place in _PLACE.findall(self.body))

    def text(self, filling: Filling = Filling()) -> str:
        """The statement with its places filled, for the server."""
        missing = [need for need in self.needs if getattr(filling, need) is None]
        if missing:
            raise SchemaError(f"The statement {self.name} was not told its {', '.join(sorted(missing))}.")
        return _PLACE.sub(lambda found: PLACES[found[1]][1](filling), self.body)

    def check(self, params: Mapping[str, object]) -> None:
        """Refuse parameters other than the declared ones: a name mistyped is a bug, not a null."""
        if params.keys() != self.params:
            raise SchemaError(
                f"The statement {self.name} takes {_listed(self.params)}, but was given {_listed(params)}."
            )


def parse(name: str, text: str) -> Statement:
    """Read one file; SchemaError where its header and its body do not agree."""
    comments, lines = [], text.splitlines()
    while lines and (found := _HEADER.fullmatch(lines[0].strip())):
        comments.append(found[1])
        lines.pop(0)
    purpose, fields = _header(comments)
    body = "\n".join(lines).strip()
    if not purpose or not body or fields.keys() != {"params", "columns"}:
        raise SchemaError(
            f"cypher/{name}.cypher has no purpose, params, columns or body.", "See graph/cypher.py."
        )
    declared = frozenset(_PARAM.findall(fields["params"]))
    used = frozenset(_PARAM.findall(_STRING.sub("", body)))
    unknown = set(_PLACE.findall(body)) - PLACES.keys()
    if declared != used or unknown:
        raise SchemaError(
            f"cypher/{name}.cypher declares {_listed(declared)}, but uses {_listed(used)}"
            + (f" and the unknown places {_listed(unknown)}." if unknown else "."),
            "Make its header and its body agree.",
        )
    return Statement(name, purpose, declared, _columns(fields["columns"]), body)


def _header(comments: list[str]) -> tuple[str, dict[str, str]]:
    purpose: list[str] = []
    fields: dict[str, str] = {}
    for comment in comments:
        word, colon, rest = comment.partition(":")
        if colon and word in ("params", "columns"):
            fields[word] = rest.strip()
        elif fields:
            last = next(reversed(fields))
            fields[last] += f" {comment.strip()}"
        else:
            purpose.append(comment.strip())
    return " ".join(purpose), fields


def _columns(text: str) -> tuple[str, ...]:
    bare = re.sub(r"\([^)]*\)", "", text)
    return () if bare.strip() == "none" else tuple(word.strip() for word in bare.split(",") if word.strip())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


@cache
def load(name: str) -> Statement:
    """The statement `topic/name`; SchemaError where there is none or its header does not fit."""
    try:
        text = (ROOT / f"{name}.cypher").read_text("utf-8")
    except FileNotFoundError:
        raise SchemaError(f"There is no statement cypher/{name}.cypher.", "Install Maestro again.") from None
    return parse(name, text)


def names() -> list[str]:
    """All statements, migrations aside (they are lists of definitions; see `graph.migrations`)."""
    found = (path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.cypher"))
    return sorted(name for name in found if not name.startswith("migrations/"))
