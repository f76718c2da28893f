"""The JSON shapes that programs read, with their versions; docs/json.md follows from them.

A shape grows by adding fields within its version; a field is renamed, removed or given another
meaning only with a new version. What people see (`api.rendering`), the pictures and GraphQL are
made from the same values, so that all of them say the same.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

QUIET = "nothing that runs differs"
PROSE = "prose"
UNSUPPORTED = "no reader for its kind"
"""Why a file that differs starts nothing."""


class Document(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Root of what `--json` prints: each class names its shape and version."""

    SHAPE = ""
    VERSION = 1


class AtRun(Document, frozen=True, kw_only=True):
    """What was computed at one run of the index."""

    repository: Annotated[str, Meta(description="Name of the repository.")]
    run: Annotated[int, Meta(description="Run of the index that this was computed at.")]
    commit: Annotated[str, Meta(description="Commit that is indexed at that run.")]
    at: Annotated[
        str,
        Meta(description="When that run became the head, where an earlier one was asked for; else empty."),
    ] = ""


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

    source: Annotated[Symbol, Meta(description="The one end.")]
    target: Annotated[Symbol, Meta(description="The other end.")]
    edge: Annotated[str, Meta(description="Kind of the hyperedge: Calls, References, ...")]
    tier: Annotated[str, Meta(description="How sure it is: exact, typed, hierarchy, name, ambiguous.")]
    role: Annotated[str, Meta(description="Role of the end that depends: reader, caller, ...")] = ""
    form: Annotated[str, Meta(description="How a call is written: plain, property, ...; else empty.")] = ""
    path: Annotated[str, Meta(description="File in which it is written.")] = ""
    line: Annotated[int, Meta(description="Line on which it is written; 0 where none is known.")] = 0
    side: Annotated[str, Meta(description="Which side of the change says it: both, base, head.")] = "both"


class Changed(Struct, frozen=True, kw_only=True):
    """A symbol that a cone starts from, and why."""

    symbol: Annotated[Symbol, Meta(description="The node.")]
    reasons: Annotated[tuple[str, ...], Meta(description="What about it changed, in plain words.")]
    side: Annotated[str, Meta(description="Which side holds it: both, base (deleted), head (added).")] = (
        "both"
    )


class Reached(Struct, frozen=True, kw_only=True):
    """A node that a change reaches, with the path that proves it."""

    symbol: Annotated[Symbol, Meta(description="The node.")]
    distance: Annotated[int, Meta(description="Steps from the change, at the strongest tier.")]
    tier: Annotated[str, Meta(description="Weakest edge of the proof, which is the best there is.")]
    proof: Annotated[tuple[Step, ...], Meta(description="The path from a changed symbol to this one.")]


class Owning(Struct, frozen=True, kw_only=True):
    """An owner of what a change touches or reaches."""

    owner: Annotated[str, Meta(description="Handle, address or name.")]
    changed: Annotated[int, Meta(description="Changed files that are theirs.")] = 0
    reached: Annotated[int, Meta(description="Other reached files that are theirs.")] = 0
    symbols: Annotated[int, Meta(description="Changed and reached symbols and tests in them.")] = 0


class Hub(Struct, frozen=True, kw_only=True):
    """A node that much depends on, at which the cone stopped by rule."""

    symbol: Annotated[Symbol, Meta(description="The node.")]
    dependents: Annotated[int, Meta(description="Edges that were not followed from here.")]


class Unread(Struct, frozen=True, kw_only=True):
    """A file that differs but from which nothing starts, and why."""

    path: Annotated[str, Meta(description="The file.")]
    reason: Annotated[str, Meta(description="Why.")]


class Impact(Document, frozen=True, kw_only=True):
    """What a change, a symbol or a line reaches (`maestro impact`)."""

    SHAPE = "impact"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    asked: Annotated[str, Meta(description="The question as it was put.")]
    base: Annotated[
        str, Meta(description="Commit of the base side; empty for a symbol or a first commit.")
    ] = ""
    head: Annotated[str, Meta(description="Commit of the head side; empty for a diff's result.")] = ""
    run: Annotated[int, Meta(description="Run of the index (its head) that the answer was computed at.")] = 0
    indexed: Annotated[str, Meta(description="Commit that is indexed at that run.")] = ""
    at: Annotated[
        str,
        Meta(description="When that run became the head, where an earlier one was asked for; else empty."),
    ] = ""
    derived: Annotated[
        tuple[str, str],
        Meta(description="How base and head were had: indexed, kept, resolved, or empty."),
    ] = ("", "")
    direction: Annotated[str, Meta(description="up: what depends on it; down: what it depends on.")] = "up"
    tier: Annotated[str, Meta(description="Weakest tier that the cone follows.")] = "hierarchy"
    depth: Annotated[int, Meta(description="Steps that the cone may take.")] = 10
    changed: Annotated[tuple[Changed, ...], Meta(description="Where the cone starts.")] = ()
    silent: Annotated[
        tuple[Unread, ...], Meta(description="Files that differ without changing what runs.")
    ] = ()
    reached: Annotated[
        tuple[Reached, ...], Meta(description="All but tests: by distance, tier, then place.")
    ] = ()
    tests: Annotated[
        tuple[Reached, ...], Meta(description="The tests that are reached, in the same order.")
    ] = ()
    truncated: Annotated[
        bool, Meta(description="Whether a limit left something out of `reached` or `tests`.")
    ] = False
    possible: Annotated[
        dict[str, int], Meta(description="Nodes that only weaker tiers reach, counted by tier.")
    ] = {}
    edges: Annotated[dict[str, int], Meta(description="Edges in the cone, by tier.")] = {}
    unfollowed: Annotated[
        int, Meta(description="References in changed and reached symbols that could not be followed.")
    ] = 0
    owners: Annotated[
        tuple[Owning, ...], Meta(description="Who answers for the files, most symbols first.")
    ] = ()
    unowned: Annotated[int, Meta(description="Changed and reached files that nobody owns.")] = 0
    hubs: Annotated[tuple[Hub, ...], Meta(description="Where the cone stopped by rule.")] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What else is worth knowing.")] = ()
    seconds: Annotated[float, Meta(description="How long it took.")] = 0.0


class ProofPath(Struct, frozen=True, kw_only=True):
    """One path between two symbols."""

    tier: Annotated[str, Meta(description="Its weakest edge.")]
    steps: Annotated[tuple[Step, ...], Meta(description="From one end to the other.")]


class Paths(AtRun, frozen=True, kw_only=True):
    """The shortest proof paths between two symbols (`maestro path`)."""

    SHAPE = "paths"

    source: Annotated[Symbol, Meta(description="The one end.")]
    target: Annotated[Symbol, Meta(description="The other end.")]
    direction: Annotated[
        str,
        Meta(
            description="`depends`: the first depends on the second; `reaches`: the other way round; `none`."
        ),
    ]
    paths: Annotated[tuple[ProofPath, ...], Meta(description="Surest first, then shortest.")]
    complete: Annotated[bool, Meta(description="Whether there are no more.")] = True


class Found(AtRun, frozen=True, kw_only=True):
    """Nodes whose name fits (`maestro search`)."""

    SHAPE = "search"

    query: Annotated[str, Meta(description="What was searched.")]
    more: Annotated[bool, Meta(description="Whether the limit left something out.")]
    results: Annotated[tuple[Symbol, ...], Meta(description="Best fit first.")]


class Export(AtRun, frozen=True, kw_only=True):
    """Hyperedges of one kind as rows (`maestro export`)."""

    SHAPE = "export"

    kind: Annotated[str, Meta(description="Kind of the hyperedges.")]
    columns: Annotated[tuple[str, ...], Meta(description="Names of the columns.")]
    rows: Annotated[
        tuple[tuple[str, int, str, int, str], ...],
        Meta(
            description="[file, first line, file, first line, tier] of who depends and what it depends "
            "upon: for calls the caller's, then the callee's."
        ),
    ]


class Diagnosed(Struct, frozen=True, kw_only=True):
    """A file that was not, or not wholly, read."""

    path: Annotated[str, Meta(description="The file.")]
    code: Annotated[str, Meta(description="A stable, dotted identifier.")]
    message: Annotated[str, Meta(description="What was wrong, and where.")]


class TakenRecording(Struct, frozen=True, kw_only=True):
    """A recording that was taken in."""

    name: Annotated[str, Meta(description="The file, as it was named.")]
    digest: Annotated[str, Meta(description="SHA-256 of its bytes.")]
    format: Annotated[str, Meta(description="recording, lcov, cobertura, jacoco, go-cover or junit.")]
    commit: Annotated[str, Meta(description="Commit that it was recorded at; empty outside git.")]
    dirty: Annotated[bool, Meta(description="Whether files differed from that commit.")]
    tests: Annotated[int, Meta(description="Tests that it tells of.")]
    distance: Annotated[str, Meta(description="How far its commit is from the one that is indexed.")]
    bytes: Annotated[int, Meta(description="Its size.")]


class TakenIn(Struct, frozen=True, kw_only=True):
    """What taking recordings of test runs in came to."""

    recordings: Annotated[tuple[TakenRecording, ...], Meta(description="Those that were named now.")]
    kept: Annotated[int, Meta(description="Recordings that are kept, earlier ones with.")]
    tests: Annotated[int, Meta(description="Tests that all of them together tell of.")]
    edges: Annotated[int, Meta(description="Runtime hyperedges.")]
    created: Annotated[int, Meta(description="Runtime hyperedges that are new.")]
    retired: Annotated[int, Meta(description="Runtime hyperedges that hold no more.")]
    run: Annotated[int, Meta(description="Run that the runtime facts stand at.")]
    notes: Annotated[tuple[str, ...], Meta(description="What could not be placed or seen.")]


class Indexed(Document, frozen=True, kw_only=True):
    """What an index run did (`maestro index`)."""

    SHAPE = "index"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    commit: Annotated[str, Meta(description="Commit that is indexed at that run.")]
    summary: Annotated[str, Meta(description="First line of its message.")]
    run: Annotated[int, Meta(description="Run of the index that this was computed at.")]
    unchanged: Annotated[bool, Meta(description="Whether everything was stored already.")]
    sources: Annotated[int, Meta(description="Files that were read; 0 where nothing had to be.")]
    coverage: Annotated[str, Meta(description="What was read and what was not, in a sentence.")]
    nodes: Annotated[int, Meta(description="Nodes.")]
    edges: Annotated[int, Meta(description="Hyperedges.")]
    created: Annotated[int, Meta(description="Hyperedges that are new.")]
    retired: Annotated[int, Meta(description="Hyperedges that hold no more.")]
    diagnoses: Annotated[tuple[Diagnosed, ...], Meta(description="Files that were not, or not wholly, read.")]
    commits_read: Annotated[int, Meta(description="Commits of the history that were read.")]
    history_complete: Annotated[bool, Meta(description="Whether none are left to read.")]
    notes: Annotated[tuple[str, ...], Meta(description="What else is worth knowing.")]
    seconds: Annotated[float, Meta(description="How long it took.")]
    recordings: Annotated[TakenIn | None, Meta(description="Recordings that were taken in, if any.")] = None


class Received(Document, frozen=True, kw_only=True):
    """What a recording that was sent to a service came to (docs/tests.md)."""

    SHAPE = "received"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    commit: Annotated[str, Meta(description="Commit that is indexed.")]
    recordings: Annotated[TakenIn, Meta(description="What taking it in came to.")]


class JudgedRecording(Struct, frozen=True, kw_only=True):
    """A recorded state that a selection stands on."""

    commit: Annotated[str, Meta(description="Commit that it was recorded at; empty outside git.")]
    dirty: Annotated[bool, Meta(description="Whether files differed from that commit.")]
    distance: Annotated[str, Meta(description="How far it is from the change, in words.")]
    tests: Annotated[int, Meta(description="Tests that it tells of last.")]
    differing: Annotated[tuple[str, ...], Meta(description="Files that matter and differ since.")]


class SelectedTest(Struct, frozen=True, kw_only=True):
    """A test to run, and why."""

    test: Annotated[
        str, Meta(description="As its runner names it. Without brackets it means all of its parameters.")
    ]
    seconds: Annotated[float, Meta(description="How long it took when it was recorded; 0 where unknown.")] = (
        0.0
    )
    new: Annotated[bool, Meta(description="Whether no recording tells of it.")] = False
    reasons: Annotated[
        tuple[tuple[str, ...], ...],
        Meta(description="Paths from what changed to the test, a step a string."),
    ] = ()


class Tests(Document, frozen=True, kw_only=True):
    """The tests that a change can alter (`maestro tests`)."""

    SHAPE = "tests"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    asked: Annotated[str, Meta(description="The question as it was put.")]
    base: Annotated[str, Meta(description="Commit of the base side; empty for a first commit.")] = ""
    head: Annotated[str, Meta(description="Commit of the head side; empty for a diff's result.")] = ""
    run: Annotated[int, Meta(description="Run of the index that the answer was computed at.")] = 0
    indexed: Annotated[str, Meta(description="Commit that is indexed at that run.")] = ""
    mode: Annotated[str, Meta(description="safe, minimal or budget.")] = "safe"
    basis: Annotated[str, Meta(description="recording: what tests were seen to do; static: the graph.")] = (
        "recording"
    )
    selected: Annotated[tuple[SelectedTest, ...], Meta(description="In the order to run them.")] = ()
    skipped: Annotated[tuple[str, ...], Meta(description="Known tests that the change cannot alter.")] = ()
    left: Annotated[
        tuple[str, ...], Meta(description="Tests that it can alter and that the mode leaves out.")
    ] = ()
    widened: Annotated[
        tuple[str, ...], Meta(description="Steps by which more was taken than was seen, and why.")
    ] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What else is worth knowing.")] = ()
    recordings: Annotated[
        tuple[JudgedRecording, ...], Meta(description="The recorded states it stands on, newest first.")
    ] = ()
    seconds: Annotated[float, Meta(description="How long it took.")] = 0.0


class BacktestOrders(Struct, frozen=True, kw_only=True):
    """How soon the selected tests would have shown a fault, as APFD (1: at once; 0.5: as chance has it)."""

    expected: Annotated[float, Meta(description="In the order of the budget mode.")]
    quickest: Annotated[float, Meta(description="The quickest test first.")]
    chance: Annotated[float, Meta(description="In a random order, on average.")]
    minimal: Annotated[int, Meta(description="Tests that the minimal mode would have run.")]
    missed: Annotated[bool, Meta(description="Whether none of these shows the fault.")]


class BacktestStep(Struct, frozen=True, kw_only=True):
    """One step of the past: from a recorded state to a later commit."""

    base: Annotated[str, Meta(description="Commit of the recording that selects.")]
    commit: Annotated[str, Meta(description="The commit that it selects for.")]
    known: Annotated[int, Meta(description="Tests that the recording tells of.")]
    selected: Annotated[int, Meta(description="How many of these would have been run.")]
    seconds: Annotated[float, Meta(description="How long these took when recorded.")]
    seconds_all: Annotated[float, Meta(description="How long all took.")]
    judged: Annotated[int, Meta(description="Tests whose outcome at the commit was recorded too.")]
    turned: Annotated[tuple[str, ...], Meta(description="Those of them that came out otherwise.")]
    missed: Annotated[tuple[str, ...], Meta(description="Those of them that would have been left out.")]
    orders: Annotated[
        BacktestOrders | None, Meta(description="How orders compare, where a test came to fail.")
    ] = None


class Backtest(Document, frozen=True, kw_only=True):
    """What selection would have saved and missed in the past (`maestro backtest`)."""

    SHAPE = "backtest"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    commits: Annotated[int, Meta(description="Commits that were looked at.")]
    steps: Annotated[
        tuple[BacktestStep, ...], Meta(description="Commits after some recording, newest first.")
    ]
    seconds: Annotated[float, Meta(description="How long it took.")]


class HeldRecording(Struct, frozen=True, kw_only=True):
    """A recording or report of a test run that a repository has."""

    digest: Annotated[str, Meta(description="SHA-256 of its bytes.")]
    format: Annotated[str, Meta(description="recording, lcov, cobertura, jacoco, go-cover or junit.")]
    commit: Annotated[str, Meta(description="Commit that it was recorded at; empty outside git.")]
    dirty: Annotated[bool, Meta(description="Whether files differed from that commit.")]
    tests: Annotated[int, Meta(description="Tests that it tells of.")]
    distance: Annotated[str, Meta(description="How far its commit is from the one that is indexed.")]
    bytes: Annotated[int, Meta(description="Its size.")]


class Repository(Struct, frozen=True, kw_only=True):
    """A repository in the store."""

    name: Annotated[str, Meta(description="What it is called.")]
    run: Annotated[int, Meta(description="Run of the index that this was computed at.")]
    commit: Annotated[str, Meta(description="Commit that is indexed at that run.")]
    families: Annotated[dict[str, int], Meta(description="Run at which each family of facts stands.")] = {}
    nodes: Annotated[int, Meta(description="Nodes at that run.")] = 0
    edges: Annotated[int, Meta(description="Hyperedges at that run.")] = 0
    origin: Annotated[str, Meta(description="The clone it was last indexed from.")] = ""
    bytes: Annotated[int, Meta(description="What its mirror, arrays and caches take on disk.")] = 0
    recordings: Annotated[
        tuple[HeldRecording, ...], Meta(description="Recordings of test runs, newest first.")
    ] = ()


class Status(Document, frozen=True, kw_only=True):
    """The repositories in the store, and where everything is (`maestro status`)."""

    SHAPE = "status"

    server: Annotated[str, Meta(description="Where the hypergraph is kept.")]
    data: Annotated[str, Meta(description="The data folder.")]
    repositories: Annotated[tuple[Repository, ...], Meta(description="By name.")]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that the doctor looked at."""

    name: Annotated[str, Meta(description="What it is called.")]
    outcome: Annotated[str, Meta(description="well, note or wrong.")]
    detail: Annotated[str, Meta(description="What was found.")]
    hint: Annotated[str, Meta(description="What to do.")] = ""


class Health(Document, frozen=True, kw_only=True):
    """What `maestro doctor` found; `well` is false when anything is wrong."""

    SHAPE = "health"

    well: Annotated[bool, Meta(description="Whether nothing is wrong.")]
    checks: Annotated[tuple[Check, ...], Meta(description="In the order they were made.")]


class Pruned(Document, frozen=True, kw_only=True):
    """What `maestro prune` took away."""

    SHAPE = "prune"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    dry_run: Annotated[bool, Meta(description="Whether this only says what would be removed.")] = False
    removed: Annotated[int, Meta(description="Retired hyperedges that were removed.")]
    nodes: Annotated[
        int, Meta(description="Nodes that nothing held any more; in a dry run those of them already alone.")
    ]
    bytes: Annotated[int, Meta(description="Room freed in the data folder.")]


class Saved(Document, frozen=True, kw_only=True):
    """A backup that was made or restored (`maestro backup`, `maestro restore`)."""

    SHAPE = "backup"

    folder: Annotated[str, Meta(description="Folder of the backup.")]
    repositories: Annotated[tuple[str, ...], Meta(description="Names of the repositories in it.")]
    facts: Annotated[int, Meta(description="Hyperedges in it, retired ones with them.")]
    nodes: Annotated[int, Meta(description="Nodes in it.")]
    bytes: Annotated[int, Meta(description="Its size.")]
    findings: Annotated[
        tuple[str, ...], Meta(description="What `maestro doctor` finds wrong after it was restored.")
    ] = ()


class Failed(Document, frozen=True, kw_only=True):
    """An error, where `--json` was asked for; it goes to standard output like an answer."""

    SHAPE = "error"

    code: Annotated[str, Meta(description="A stable, dotted identifier.")]
    message: Annotated[str, Meta(description="What was wrong, and where.")]
    hint: Annotated[str, Meta(description="What to do.")]
    exit_code: Annotated[int, Meta(description="As the process ends with.")]
    candidates: Annotated[tuple[str, ...], Meta(description="What an ambiguous name could mean.")] = ()


DOCUMENTS: tuple[type[Document], ...] = (
    Impact, Paths, Found, Tests, Backtest, Export, Indexed, Received, Status, Health, Pruned, Saved, Failed,
)  # fmt: skip


def encode(document: Document, indent: int = 2) -> str:
    """The document as JSON text, its shape and version first."""
    body = msgspec.to_builtins(document)
    whole: dict[str, Any] = {"maestro": {"shape": document.SHAPE, "version": document.VERSION}, **body}
    text = msgspec.json.format(msgspec.json.encode(whole), indent=indent)
    return text.decode("utf-8", "surrogatepass")
