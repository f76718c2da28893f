"""Call edges of a real repository against edges that somebody else found there.

    python -m benchmarks.call_edges CLONE TRUTH.json.gz [--files FILES.json.gz] [--runtime]
                                    [--within PATH] [--from PATH] [--rev REV]

TRUTH is a JSON list of [caller file, caller's first line, callee file, callee's first line]; a
function is met by the line of its `def` or of its first decorator. Only functions count, and only
edges with both ends in FILES, or in files that the truth names where FILES is not given.

precision_exact, recall_exact: calls of form plain at tiers exact and typed.
precision_all, recall_all: calls of every form that a cone follows by default, asked of the arrays that
cones run on; where a call is dispatched at run time the overrides count as callees.
recall_recorded: the same of all calls that are recorded at the tiers of a default cone.
With `--runtime` the truth is what one run saw (`benchmarks.calls_seen` writes such), so that only recall
means something. Then recall_reached says of how many of these calls the caller is in the default cone of what
it called, whatever the path: those that are not are what a reader of the cone would miss.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.figures import print_figures, print_table
from graph.adjacency import Dependencies, dependencies, followed
from graph.facts import Batch, Scope
from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.reach import DEPTH_LIMIT, cone
from graph.resolution import resolve
from graph.schema import DEFAULT_TIER, EdgeKind, Form, NodeKind, Sort, Tier, code_of
from graph.workspace import Workspace

SURE = (Tier.EXACT, Tier.TYPED)
SCOPE = Scope("benchmark", "clone")

Spot: TypeAlias = tuple[str, int]
"""A file and the line of a `def`."""
Edge: TypeAlias = tuple[Spot, Spot]

BARS = {
    ("celery", False): {
        "precision_exact": (0.95, 0.98),
        "recall_exact": (0.96, 0.98),
        "recall_all": (0.97, 0.985),
    },
    ("flask", False): {"precision_exact": (0.96, 0.98), "recall_exact": (0.80, 0.95)},
    ("flask src", True): {"recall_all": (0.80, 0.90)},
    ("flask tests", True): {"recall_all": (0.65, 0.85)},
}


class Functions(NamedTuple):
    """Functions of a batch: by key where they stand, and by any of their lines the line of the `def`."""

    spots: dict[str, Spot]
    lines: dict[Spot, Spot]


def functions(batch: Batch, runtime: bool = False) -> Functions:
    """Every function and method that the batch contains.

    At run time a class body is a frame of its own, run by whoever defines the class: what its attributes call
    is called from there.
    """
    counted = {Sort.FUNCTION.value, Sort.METHOD.value} | ({Sort.CLASS.value} if runtime else set())
    symbols = (node for node in batch.nodes.values() if node.kind is NodeKind.SYMBOL)
    sorts = {node.key: dict(node.props).get("sort") for node in symbols}
    found = Functions({}, {})
    for edge in batch.edges:
        if edge.kind is not EdgeKind.CONTAINS:
            continue
        path = edge.members[0].key.partition(":")[2]
        for member in edge.members[1:]:
            if sorts.get(member.key) in counted:
                spot = (path, member.mark)
                found.spots[member.key] = spot
                found.lines.setdefault((path, member.line), spot)
                found.lines[spot] = spot
        for member in edge.members[1:] if runtime else ():
            klass = member.key.rpartition(".")[0]
            if sorts.get(member.key) == Sort.ATTRIBUTE.value and sorts.get(klass) == Sort.CLASS.value:
                found.spots[member.key] = found.spots[klass]
    return found


class Predicted(NamedTuple):
    """Edges between functions."""

    exact: set[Edge]
    """Sure plain calls."""
    followed: set[Edge]
    """Calls that a default cone follows, by the arrays that cones run on: they leave some out."""
    recorded: set[Edge]
    """All calls at a default cone's tiers, as `maestro export calls` lists them."""


def predictions(batch: Batch, spots: dict[str, Spot]) -> Predicted:
    """What the batch says, overrides counted as callees where a call is dispatched at run time."""
    exact: set[Edge] = set()
    for edge in batch.edges:
        if edge.kind is EdgeKind.CALLS and edge.form is Form.PLAIN and edge.tier in SURE:
            caller = spots.get(edge.members[0].key)
            named = {spots[member.key] for member in edge.members[1:] if member.key in spots}
            exact |= {(caller, callee) for callee in named} if caller is not None else set()
    arrays = Incidence.build(batch, scope=SCOPE, head=0, commit="", tree="")
    kept = _calls(batch, arrays, followed(arrays), spots)
    return Predicted(exact, kept, _calls(batch, arrays, dependencies(arrays), spots))


def _calls(batch: Batch, arrays: Incidence, found: Dependencies, spots: dict[str, Spot]) -> set[Edge]:
    below: dict[str, list[str]] = defaultdict(list)
    for edge in batch.edges:
        if edge.kind is EdgeKind.OVERRIDES:
            roles = {member.role: member.key for member in edge.members}
            below[roles["base"]].append(roles["override"])
    calls = code_of(EdgeKind.CALLS)
    everything: set[Edge] = set()
    for callee, caller, edge_id, rank in zip(found.leaves, found.enters, found.edge, found.tier, strict=True):
        spot = spots.get(arrays.keys[caller])
        if spot is None or arrays.edge_kind[edge_id] != calls or rank > DEFAULT_TIER.rank:
            continue
        named = {arrays.keys[callee]}
        reached = _with_overrides(named, below) if arrays.virtual[edge_id] else named
        everything |= {(spot, spots[key]) for key in reached if key in spots}
    return everything


def _with_overrides(keys: Iterable[str], below: dict[str, list[str]]) -> set[str]:
    found = set(keys)
    heap = list(found)
    while heap:
        for key in below.get(heap.pop(), ()):
            if key not in found:
                found.add(key)
                heap.append(key)
    return found


def reached(batch: Batch, known: Functions, truth: set[Edge]) -> float:
    """Of how many edges the caller is in the default cone of the callee; 0 where there are none.

    A callee that is no function of the batch counts as missed. A class body stands for its attributes too.
    """
    arrays = Incidence.build(batch, scope=SCOPE, head=0, commit="", tree="")
    keys: dict[Spot, list[int]] = defaultdict(list)
    for key, spot in known.spots.items():
        keys[spot].append(arrays.find(NodeKind.SYMBOL, key))
    callers: dict[Spot, list[Spot]] = defaultdict(list)
    for caller, callee in truth:
        callers[callee].append(caller)
    hits = 0
    for callee, found in callers.items():
        starts = [node for node in keys.get(callee, ()) if arrays.sort_of(node) is not Sort.ATTRIBUTE]
        if starts:
            inside = cone(arrays, starts, depth=DEPTH_LIMIT)
            nodes = {*inside.nodes.tolist(), *starts}
            hits += sum(not nodes.isdisjoint(keys.get(caller, ())) for caller in found)
    return hits / len(truth) if truth else 0.0


def score(predicted: set[Edge], truth: set[Edge]) -> tuple[float, float]:
    """Precision and recall; 0 where there is nothing to divide by."""
    hits = len(predicted & truth)
    return hits / len(predicted) if predicted else 0.0, hits / len(truth) if truth else 0.0


def inside(spot: Spot, folder: str) -> bool:
    """Whether a spot lies in a folder of the repository."""
    return not folder or spot[0].startswith(f"{folder.rstrip('/')}/")


def figures(batch: Batch, rows: list[list[str | int]], arguments: argparse.Namespace) -> dict[str, float]:
    """The benchmark's figures."""
    known = functions(batch, arguments.runtime)
    truth: set[Edge] = set()
    for row in rows:
        caller, callee = (str(row[0]), int(row[1])), (str(row[2]), int(row[3]))
        truth.add((known.lines.get(caller, caller), known.lines.get(callee, callee)))
    files = _files(arguments.files, rows)

    def counts(edge: Edge) -> bool:
        caller, callee = edge
        return (
            caller[0] in files
            and callee[0] in files
            and inside(caller, arguments.within)
            and inside(callee, arguments.within)
            and inside(caller, arguments.source)
        )

    exact, everything, recorded = (set(filter(counts, edges)) for edges in predictions(batch, known.spots))
    truth = {edge for edge in truth if counts(edge)}
    precision_exact, recall_exact = score(exact, truth)
    precision_all, recall_all = score(everything, truth)
    result: dict[str, float] = {"recall_all": recall_all, "recall_exact": recall_exact}
    result |= {"recall_recorded": score(recorded, truth)[1], "edges": len(truth)}
    if arguments.runtime:
        result["recall_reached"] = reached(batch, known, truth)
    else:
        result |= {"precision_exact": precision_exact, "precision_all": precision_all}
    if arguments.show:
        _show(exact, everything, truth, arguments.show)
    return result


def _files(given: Path | None, rows: list[list[str | int]]) -> set[str]:
    if given is not None:
        return set(json.loads(gzip.decompress(given.read_bytes())))
    return {str(row[0]) for row in rows} | {str(row[2]) for row in rows}


def _show(exact: set[Edge], everything: set[Edge], truth: set[Edge], what: str) -> None:
    chosen = {"missing": truth - everything, "missing-exact": truth - exact, "false": exact - truth}[what]
    for (path, line), (callee, mark) in sorted(chosen):
        print(f"{path}:{line} -> {callee}:{mark}")


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--files", type=Path, help="files that the truth was made from")
    parser.add_argument("--runtime", action="store_true", help="the truth is what a run saw")
    parser.add_argument("--within", default="", help="both ends in this folder")
    parser.add_argument("--from", dest="source", default="", help="the caller in this folder")
    parser.add_argument("--rev", default="HEAD")
    parser.add_argument("--no-engine", dest="engine", action="store_false", help="our own reader alone")
    parser.add_argument("--data", type=Path, help="keep mirror and caches in this folder")
    parser.add_argument("--show", choices=("missing", "missing-exact", "false"), help="list these edges")
    arguments = parser.parse_args()
    rows = json.loads(gzip.decompress(arguments.truth.read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(arguments.data or Path(folder))
        workspace.prepare(SCOPE)
        mirror = Mirror.refresh(arguments.clone, workspace.mirror(SCOPE))
        commit = mirror.resolve(arguments.rev)
        resolution = resolve(workspace, mirror, SCOPE, commit.tree, engine=arguments.engine)
        result = figures(resolution.batch, rows, arguments)
    part = arguments.within or arguments.source
    on = f"{arguments.clone.resolve().name} {part}".strip()
    print_table(result, BARS.get((on, arguments.runtime), {}))
    print_figures("call_edges", f"{on}@{commit.id[:8]}", result)


if __name__ == "__main__":
    main()
