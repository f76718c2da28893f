"""Random sequences of edits of a real clone, each indexed as it comes and then held to a fresh index.

    python -m benchmarks.sequences CLONE --into FOLDER [--sequences 300] [--edits 3] [--seed 1] [--no-engine]
                                [--resident]

CLONE is copied; nothing is written to it. After each sequence the store's facts, the array file's, and the
cones of symbols drawn at random are compared with those of a resolution without any memory, in a
workspace of its own. The first that differs ends the program with 1 and is described. With --resident the
Maestro that indexes stays up, as a service does, and its type engine with it. It can be stopped and started
again, with and without that: it goes on where it was. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edits import Edited, edit
from benchmarks.figures import print_figures
from graph.adjacency import Direction, adjacencies
from graph.errors import RepositoryError
from graph.facts import Batch, Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.indexing import CODE_FAMILIES, current_arrays, index
from graph.ingest.git import Mirror
from graph.reach import cone
from graph.residence import Residence
from graph.resolution import resolve
from graph.schema import TIERS, NodeKind
from graph.store import Store, StoreSettings
from graph.workspace import Workspace

COUNTED = ("indexed", "written", "held", "seconds", "fresh_seconds")
"""What a course counts, kept from one start of the program to the next."""
CONES = 12
"""Symbols whose cones are compared after each sequence, in each direction."""


def fresh(clone: Path, scope: Scope, engine: bool) -> Batch:
    """The facts of a clone's head, resolved with nothing remembered."""
    with tempfile.TemporaryDirectory(dir=clone.parent) as folder:
        workspace = Workspace(Path(folder))
        workspace.prepare(scope)
        mirror = Mirror.refresh(clone, workspace.mirror(scope))
        return resolve(workspace, mirror, scope, mirror.head().tree, engine=engine).batch


async def differences(
    store: Store, workspace: Workspace, scope: Scope, batch: Batch, chance: random.Random
) -> list[str]:
    """How the index differs from facts that were resolved afresh; empty where it does not."""
    head = await store.head(scope)
    assert head is not None
    edges: dict[str, Hyperedge] = {}
    nodes: dict[tuple[str, str], Node] = {}
    for family in CODE_FAMILIES:
        async for fact, _ in store.export(scope, family, head.number):
            if isinstance(fact, Hyperedge):
                edges[fact.digest()] = fact
            else:
                nodes[fact.kind.value, fact.key] = fact
    wanted = {edge.digest(): edge for edge in batch.edges}
    found = list(_edges_apart("store", edges, wanted))
    named = {(m.kind.value, m.key) for edge in wanted.values() for m in edge.members}
    told = {(node.kind.value, node.key): node for node in batch.nodes.values()}
    found += _nodes_apart("store", nodes, {key: node for key, node in told.items() if key in named})
    kept = await current_arrays(store, workspace, scope)
    assert kept is not None
    arrays = Incidence.open(workspace.arrays(scope, "code"))
    facts = list(arrays.facts())
    held = {fact.digest(): fact for fact in facts if isinstance(fact, Hyperedge)}
    found += _edges_apart("arrays", held, wanted)
    alive = {(fact.kind.value, fact.key): fact for fact in facts if isinstance(fact, Node)}
    found += _nodes_apart("arrays", alive, told)
    built = Incidence.build(batch, scope=scope, head=head.number, commit=head.commit, tree=head.tree)
    found += _wiring_apart(arrays)
    found += _cones_apart(arrays, built, chance)
    return found


def _edges_apart(where: str, held: dict[str, Hyperedge], wanted: dict[str, Hyperedge]) -> Iterator[str]:
    for digest in sorted(wanted.keys() - held.keys())[:5]:
        yield f"{where}: lacks {_shown(wanted[digest])}"
    for digest in sorted(held.keys() - wanted.keys())[:5]:
        yield f"{where}: holds {_shown(held[digest])}"


def _shown(edge: Hyperedge) -> str:
    members = ", ".join(f"{m.role} {m.key.partition(':')[2] or m.key}" for m in edge.members[:6])
    return f"{edge.kind} {edge.tier} {edge.provenance.resolver} {edge.form} ({members}) {edge.props}"


def _nodes_apart(
    where: str, held: dict[tuple[str, str], Node], wanted: dict[tuple[str, str], Node]
) -> Iterator[str]:
    odd = [key for key in sorted(held.keys() | wanted.keys()) if held.get(key) != wanted.get(key)]
    for key in odd[:5]:
        yield f"{where}: {key} is {held.get(key)}, not {wanted.get(key)}"


def _wiring_apart(arrays: Incidence) -> Iterator[str]:
    kept = arrays.adjacency(Direction.UP), arrays.adjacency(Direction.DOWN)
    for direction, mapped, derived in zip(Direction, kept, adjacencies(arrays), strict=True):
        for name in ("ptr", "node", "edge", "dispatch"):
            if not np.array_equal(getattr(mapped, name), getattr(derived, name)):
                yield f"arrays: {name} of the adjacency {direction} is not what the hyperedges give"


def _cones_apart(arrays: Incidence, built: Incidence, chance: random.Random) -> Iterator[str]:
    symbols = built.nodes_of(NodeKind.SYMBOL).tolist()
    for node in chance.sample(symbols, min(CONES, len(symbols))):
        key = built.keys[node]
        for direction in Direction:
            ours = _reached(arrays, arrays.find(NodeKind.SYMBOL, key), direction)
            theirs = _reached(built, node, direction)
            if ours != theirs:
                yield f"cone {direction} of {key}: {sorted(ours ^ theirs)[:3]}"


def _reached(arrays: Incidence, node: int, direction: Direction) -> set[tuple[str, str, int, int]]:
    found = cone(arrays, [node], direction=direction, tier=TIERS[-1])
    rows = zip(found.nodes.tolist(), found.tiers.tolist(), found.distances.tolist(), strict=True)
    return {(arrays.kind(at).value, arrays.keys[at], tier, length) for at, tier, length in rows}


@dataclass(slots=True)
class Course:
    """Sequences of edits of one copy of a clone, and what came of them."""

    clone: Edited
    workspace: Workspace
    scope: Scope
    seed: int
    edits: int
    engine: bool
    begin: str
    """The commit that a sequence may begin at."""
    residence: Residence | None = None
    """What a Maestro that stays up keeps from run to run."""
    log: list[str] = field(default_factory=list)
    indexed: int = 0
    written: int = 0
    held: int = 0
    seconds: float = 0.0
    fresh_seconds: float = 0.0

    async def play(self, store: Store, number: int) -> list[str]:
        """One sequence; how its end differs from a fresh index."""
        chance = random.Random(f"{self.seed} {number}")
        if number % 10 == 1 or len(self.clone.files()) < 4:
            self.clone.reset(self.begin)
        self.log = []
        for step in range(self.edits):
            self.log.append(edit(self.clone, chance))
            begun = time.perf_counter()
            try:
                report = await index(
                    store,
                    self.workspace,
                    self.scope,
                    self.clone.path,
                    engine=self.engine,
                    with_history=step == 0 and chance.random() < 0.2,
                    residence=self.residence,
                )
            except RepositoryError as error:  # nothing left to read: said, and nothing moved
                self.log.append(str(error))
                self.clone.reset(self.begin)
                continue
            self.seconds += time.perf_counter() - begun
            self.indexed += 1
            self.written += report.created + report.retired
            self.held += report.edges
        begun = time.perf_counter()
        batch = fresh(self.clone.path, self.scope, self.engine)
        self.fresh_seconds += time.perf_counter() - begun
        if not self.indexed:
            return []
        head = await store.head(self.scope)
        if head is None or head.commit != self.clone.git("rev-parse", "HEAD"):
            await index(store, self.workspace, self.scope, self.clone.path, engine=self.engine)
        return await differences(store, self.workspace, self.scope, batch, chance)


async def _play(
    store: Store, course: Course, sequences: int, state: dict[str, Any], notes: Path
) -> list[str]:
    """All sequences that are left, each noted as it is done; how the first that differs does."""
    await store.migrate()
    for number in range(state["done"] + 1, sequences + 1):
        apart = await course.play(store, number)
        print(f"{number}/{sequences}: {'; '.join(course.log)}", flush=True)
        if apart:
            return apart
        state["done"] = number
        state["course"] = {name: getattr(course, name) for name in COUNTED}
        notes.write_text(json.dumps(state))
        if number % 25 == 0:
            await store.prune(course.scope, keep=5)
    return []


async def run(given: argparse.Namespace) -> int:
    """All sequences that are left; how many differed."""
    into: Path = given.into
    into.mkdir(parents=True, exist_ok=True)
    place, notes = into / "clone", into / "progress.json"
    if not place.exists():
        Edited(into).git("clone", "-q", str(given.clone.resolve()), "clone")
    clone = Edited(place)
    order = {"seed": given.seed, "edits": given.edits, "engine": given.engine}
    state: dict[str, Any] = {"done": 0, "order": order}
    if notes.exists():
        state = json.loads(notes.read_text())
    if state["order"] != order:
        print(f"{into} holds another course: {state['order']}.", file=sys.stderr)
        return 1
    begin = clone.git("rev-parse", "origin/HEAD")
    course = Course(
        clone,
        Workspace(into / "data"),
        Scope("local", "edited"),
        given.seed,
        given.edits,
        given.engine,
        begin,
    )
    for name, value in state.get("course", {}).items():
        setattr(course, name, value)
    store_settings = StoreSettings(into / "data", heap="512m")
    async with Store.open(store_settings) as store:
        with Residence() as residence:
            course.residence = residence if given.resident else None
            apart = await _play(store, course, given.sequences, state, notes)
    if apart:
        print(f"sequence {state['done'] + 1} differs:\n  " + "\n  ".join(apart), flush=True)
        shutil.copytree(place, into / f"failed-{state['done'] + 1}", dirs_exist_ok=True)
        return 1
    each = max(1, course.indexed)
    figures: dict[str, float] = {
        "sequences": state["done"],
        "runs": course.indexed,
        "facts_moved_a_run": round(course.written / each, 1),
        "facts_held": round(course.held / each),
        "run_s": round(course.seconds / each, 3),
        "fresh_s": round(course.fresh_seconds * course.edits / each, 3),
    }
    print_figures("sequences", given.clone.name, figures)
    return 0


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=300)
    parser.add_argument("--edits", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-engine", dest="engine", action="store_false")
    parser.add_argument("--resident", action="store_true")
    sys.exit(asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
