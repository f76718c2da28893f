"""The JSON shapes that programs read, with their versions; docs/json.md follows from them.

A shape grows by adding fields within its version; a field is renamed, removed or given another
meaning only with a new version. What people see (`api.rendering`), the pictures and GraphQL are
made from the same values, so that all of them say the same.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct


class Document(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Root of what `--json` prints: each class names its shape and version."""

    SHAPE = ""
    VERSION = 1


class Symbol(Struct, frozen=True, kw_only=True):
    """A node of the hypergraph as answers show it."""

    key: Annotated[str, Meta(description="Key of the node; stable between runs.")]
    kind: Annotated[str, Meta(description="Label of the node: Symbol, Test, File, Owner, ...")]
    sort: Annotated[str, Meta(description="What a Symbol is: module, class, function, ...; else empty.")] = ""
    name: Annotated[str, Meta(description="Qualified name; the runner's id for a test.")]
    path: Annotated[str, Meta(description="File, from the repository's root.")] = ""
    line: Annotated[int, Meta(description="Line of its definition, from 1; 0 where there is none.")] = 0


class Step(Struct, frozen=True, kw_only=True):
    """One edge of a proof: `source` leads to `target` by a hyperedge."""

    source: Symbol
    target: Symbol
    edge: Annotated[str, Meta(description="Kind of the hyperedge: Calls, References, ...")]
    tier: Annotated[str, Meta(description="How sure it is: exact, typed, hierarchy, name, ambiguous.")]
    form: Annotated[str, Meta(description="How a call is written: plain, property, ...; else empty.")] = ""
    path: Annotated[str, Meta(description="File in which it is written.")] = ""
    line: Annotated[int, Meta(description="Line on which it is written; 0 where none is known.")] = 0
    side: Annotated[str, Meta(description="Which side of the change says it: both, base, head.")] = "both"


class Changed(Struct, frozen=True, kw_only=True):
    """A symbol that a cone starts from, and why."""

    symbol: Symbol
    reasons: Annotated[tuple[str, ...], Meta(description="What about it changed, in plain words.")]
    side: Annotated[str, Meta(description="Which side holds it: both, base (deleted), head (added).")] = "both"


class Reached(Struct, frozen=True, kw_only=True):
    """A node that a change reaches, with the path that proves it."""

    symbol: Symbol
    distance: Annotated[int, Meta(description="Steps from the change, at the strongest tier.")]
    tier: Annotated[str, Meta(description="Weakest edge of the proof, which is the best there is.")]
    proof: Annotated[tuple[Step, ...], Meta(description="The path from a changed symbol to this one.")]


class Owning(Struct, frozen=True, kw_only=True):
    """An owner of what a change touches or reaches."""

    owner: str
    changed: Annotated[int, Meta(description="Changed files that are theirs.")] = 0
    reached: Annotated[int, Meta(description="Other reached files that are theirs.")] = 0
    symbols: Annotated[int, Meta(description="Changed and reached symbols and tests in them.")] = 0


class Hub(Struct, frozen=True, kw_only=True):
    """A node that much depends on, at which the cone stopped by rule."""

    symbol: Symbol
    dependents: Annotated[int, Meta(description="Edges that were not followed from here.")]


class Unread(Struct, frozen=True, kw_only=True):
    """A file that differs but from which nothing starts, and why."""

    path: str
    reason: str


class Impact(Document, frozen=True, kw_only=True):
    """What a change, a symbol or a line reaches (`maestro impact`)."""

    SHAPE = "impact"

    repository: str
    asked: Annotated[str, Meta(description="The question as it was put.")]
    base: Annotated[str, Meta(description="Commit of the base side; empty for a symbol or a first commit.")] = ""
    head: Annotated[str, Meta(description="Commit of the head side; empty for a diff's result.")] = ""
    run: Annotated[int, Meta(description="Run of the index (its head) that the answer was computed at.")] = 0
    indexed: Annotated[str, Meta(description="Commit that is indexed at that run.")] = ""
    derived: Annotated[
        tuple[str, str],
        Meta(description="How base and head were had: indexed, kept, resolved, or empty."),
    ] = ("", "")
    direction: str = "up"
    tier: Annotated[str, Meta(description="Weakest tier that the cone follows.")] = "hierarchy"
    depth: int = 10
    changed: tuple[Changed, ...] = ()
    silent: Annotated[
        tuple[Unread, ...], Meta(description="Files that differ without changing what runs.")
    ] = ()
    reached: Annotated[tuple[Reached, ...], Meta(description="By tier, distance, then key.")] = ()
    tests: Annotated[tuple[Reached, ...], Meta(description="The tests among what is reached.")] = ()
    possible: Annotated[
        dict[str, int], Meta(description="Nodes that only weaker tiers reach, counted by tier.")
    ] = {}
    edges: Annotated[dict[str, int], Meta(description="Edges in the cone, by tier.")] = {}
    unfollowed: Annotated[
        int, Meta(description="References in changed and reached symbols that could not be followed.")
    ] = 0
    owners: Annotated[tuple[Owning, ...], Meta(description="Who answers for the files, most symbols first.")] = ()
    unowned: Annotated[int, Meta(description="Changed and reached files that nobody owns.")] = 0
    hubs: tuple[Hub, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class ProofPath(Struct, frozen=True, kw_only=True):
    """One path between two symbols."""

    tier: Annotated[str, Meta(description="Its weakest edge.")]
    steps: tuple[Step, ...]


class Paths(Document, frozen=True, kw_only=True):
    """The shortest proof paths between two symbols (`maestro path`)."""

    SHAPE = "paths"

    repository: str
    run: int
    source: Symbol
    target: Symbol
    direction: Annotated[
        str,
        Meta(description="`depends`: the first depends on the second; `reaches`: the other way round; `none`."),
    ]
    paths: tuple[ProofPath, ...]
    complete: Annotated[bool, Meta(description="Whether there are no more.")] = True


class Found(Document, frozen=True, kw_only=True):
    """Nodes whose name fits (`maestro search`)."""

    SHAPE = "search"

    repository: str
    run: int
    query: str
    more: Annotated[bool, Meta(description="Whether the limit left something out.")]
    results: tuple[Symbol, ...]


class Export(Document, frozen=True, kw_only=True):
    """Hyperedges of one kind as rows (`maestro export`)."""

    SHAPE = "export"

    repository: str
    run: int
    commit: str
    kind: str
    columns: tuple[str, ...]
    rows: Annotated[
        tuple[tuple[str, int, str, int, str], ...],
        Meta(
            description="[file, first line, file, first line, tier] of who depends and what it depends "
            "upon: for calls the caller's, then the callee's."
        ),
    ]


class Diagnosed(Struct, frozen=True, kw_only=True):
    """A file that was not, or not wholly, read."""

    path: str
    code: str
    message: str


class Indexed(Document, frozen=True, kw_only=True):
    """What an index run did (`maestro index`)."""

    SHAPE = "index"

    repository: str
    commit: str
    summary: str
    run: int
    unchanged: bool
    sources: Annotated[int, Meta(description="Files that were read; 0 where nothing had to be.")]
    unread: Annotated[dict[str, int], Meta(description="Files without a reader yet, by ending.")]
    nodes: int
    edges: int
    created: int
    retired: int
    diagnoses: tuple[Diagnosed, ...]
    commits_read: int
    history_complete: bool
    notes: tuple[str, ...]
    seconds: float


class Repository(Struct, frozen=True, kw_only=True):
    """A repository in the store."""

    name: str
    run: int
    commit: str
    families: Annotated[dict[str, int], Meta(description="Run at which each family of facts stands.")] = {}
    nodes: int = 0
    edges: int = 0
    origin: str = ""
    bytes: Annotated[int, Meta(description="What its mirror, arrays and caches take on disk.")] = 0


class Status(Document, frozen=True, kw_only=True):
    """The repositories in the store, and where everything is (`maestro status`)."""

    SHAPE = "status"

    server: str
    data: str
    repositories: tuple[Repository, ...]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that the doctor looked at."""

    name: str
    outcome: Annotated[str, Meta(description="well, note or wrong.")]
    detail: str
    hint: str = ""


class Health(Document, frozen=True, kw_only=True):
    """What `maestro doctor` found; `well` is false when anything is wrong."""

    SHAPE = "health"

    well: bool
    checks: tuple[Check, ...]


class Pruned(Document, frozen=True, kw_only=True):
    """What `maestro prune` took away."""

    SHAPE = "prune"

    repository: str
    removed: Annotated[int, Meta(description="Retired hyperedges that were removed.")]
    nodes: Annotated[int, Meta(description="Nodes that nothing held any more.")]
    bytes: Annotated[int, Meta(description="Room freed in the data folder.")]


class Failed(Document, frozen=True, kw_only=True):
    """An error, where `--json` was asked for; it goes to standard output like an answer."""

    SHAPE = "error"

    code: str
    message: str
    hint: str
    exit_code: int
    candidates: tuple[str, ...] = ()


DOCUMENTS: tuple[type[Document], ...] = (
    Impact, Paths, Found, Export, Indexed, Status, Health, Pruned, Failed,
)  # fmt: skip


def encode(document: Document, indent: int = 2) -> str:
    """The document as JSON text, its shape and version first."""
    body = msgspec.to_builtins(document)
    whole: dict[str, Any] = {"maestro": {"shape": document.SHAPE, "version": document.VERSION}, **body}
    text = msgspec.json.format(msgspec.json.encode(whole), indent=indent)
    return text.decode("utf-8", "surrogatepass")
