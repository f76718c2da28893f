"""What every reader yields: nodes that never change, and hyperedges that say what holds now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import msgspec

from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

Value: TypeAlias = str | int | float | bool | tuple[str, ...] | tuple[int, ...]
Props: TypeAlias = tuple[tuple[str, Value], ...]
"""Properties, sorted by name."""

_pack = msgspec.msgpack.Encoder().encode


class Scope(NamedTuple):
    """Whose facts: a tenant's repository."""

    tenant: str
    repository: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.repository}"

    @property
    def key(self) -> str:
        """Key of the Repository node."""
        return str(self)

    def file(self, path: str) -> str:
        """Key of a File."""
        return f"{self}:{path}"

    def symbol(self, path: str, qualname: str, ordinal: int = 0) -> str:
        """Key of a Symbol: the ordinal counts equal qualified names of a file from 0."""
        suffix = f"#{ordinal}" if ordinal else ""
        return f"{self}:{path}::{qualname}{suffix}"

    def test(self, path: str, test_id: str) -> str:
        """Key of a Test: `test_id` is the runner's id below the file, `TestX::test_y`."""
        return f"{self}:{path}::{test_id}"

    def change(self, commit: str) -> str:
        """Key of a Change (a commit)."""
        return f"{self}@{commit}"

    def run(self, number: int) -> str:
        """Key of a Run."""
        return f"{self}@{number}"

    def diagnosis(self, path: str, code: str) -> str:
        """Key of a Diagnosis."""
        return f"{self}:{path}!{code}"


class Provenance(NamedTuple):
    """Where a fact comes from; the run adds the times (see `Run` in the schema)."""

    source: str
    """Path of the source file in the repository; empty for what no single file says."""
    source_digest: str
    """Hexadecimal content digest of that file (git's blob id)."""
    resolver: Resolver


class Node(NamedTuple):
    """A node: its kind, its key and what never changes about it."""

    kind: NodeKind
    key: str
    props: Props = ()


class Member(NamedTuple):
    """A node's part in a hyperedge. Lines are 1-based; -1 where they mean nothing.

    On Contains: `line` first line with decorators, `mark` the line of the `def`, `class` or
    first binding, `end` the last line, `digest` what the symbol's own code amounts to.
    """

    role: str
    kind: NodeKind
    key: str
    line: int = -1
    end: int = -1
    mark: int = -1
    digest: str = ""


class Hyperedge(NamedTuple):
    """An immutable fact that ties nodes together by role."""

    kind: EdgeKind
    scope: Scope
    members: tuple[Member, ...]
    provenance: Provenance
    tier: Tier | None = None
    form: Form = Form.NONE
    props: Props = ()

    def digest(self) -> str:
        """16-byte BLAKE2b (RFC 7693) of scope, kind, source path, tier, form, members, properties.

        Equal facts have equal digests whatever run found them; where the source file stands is
        part of it, what else that file held is not. Members count in the order given.
        """
        kept = _kept_digests.get()
        if kept is None:
            return self._worked_out()
        found = kept.get(id(self))
        if found is None:
            found = kept[id(self)] = self, self._worked_out()
        return found[1]

    def _worked_out(self) -> str:
        origin = self.provenance
        parts = (
            self.scope,
            self.kind,
            origin.source,
            origin.resolver,
            self.tier,
            self.form,
            self.members,
            self.props,
        )
        try:
            data = _pack(parts)
        except UnicodeEncodeError:  # a path that is not UTF-8: lone surrogates, which MessagePack refuses
            data = repr(parts).encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=16).hexdigest()


Fact: TypeAlias = Node | Hyperedge

_kept_digests: ContextVar[dict[int, tuple[Hyperedge, str]] | None] = ContextVar("digests", default=None)


@contextmanager
def digests_kept() -> Iterator[None]:
    """Within its block, and in what is begun there, the digest of a hyperedge is worked out once.

    By identity, and each is held on to meanwhile: for a block in which the same objects are asked again and
    again.
    """
    token = _kept_digests.set({})
    try:
        yield
    finally:
        _kept_digests.reset(token)


@dataclass(slots=True)
class Batch:
    """Nodes by key and hyperedges, as a reader or a whole resolution yields them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    """By `kind key`: a Test and a Symbol may share a key string."""
    edges: list[Hyperedge] = field(default_factory=list)

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts in; a node said twice is kept once (the first)."""
        for fact in facts:
            if isinstance(fact, Node):
                self.nodes.setdefault(f"{fact.kind} {fact.key}", fact)
            else:
                self.edges.append(fact)

    def __iter__(self) -> Iterator[Fact]:
        yield from self.nodes.values()
        yield from self.edges


def symbol_node(scope: Scope, path: str, qualname: str, sort: Sort, ordinal: int = 0) -> Node:
    """The Symbol node of a definition; a module's qualified name is `<module>`."""
    name = qualname.rpartition(".")[2]
    props: Props = (("name", name), ("path", path), ("qualname", qualname), ("sort", sort.value))
    return Node(NodeKind.SYMBOL, scope.symbol(path, qualname, ordinal), props)


def file_node(scope: Scope, path: str, language: str | None) -> Node:
    """The File node of a path; None leaves what language it is in to who has read it."""
    if language is None:
        return Node(NodeKind.FILE, scope.file(path), (("path", path),))
    return Node(NodeKind.FILE, scope.file(path), (("language", language), ("path", path)))
