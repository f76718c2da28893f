"""What renewing arrays after a small change costs beside building them anew.

    python -m benchmarks.renewal FILE.arrays [--share 0.001]

FILE is an array file of any size. A change takes hyperedges from all over the graph until the share of
its incidences is reached: each is retired, and one like it with another member comes in its place. That is
harder than a change of one file, whose hyperedges lie side by side. Both sides end with the file written
and put in its place; the build is from facts in memory, so reading the store is not counted against it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import print_figures, print_table
from graph.facts import Hyperedge
from graph.incidence import Incidence
from graph.readback import read_edge
from graph.renewal import renew
from graph.schema import EdgeKind

SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Change:
    """Hyperedges that end, and those that begin."""

    retired: NDArray[np.int64]
    created: list[Hyperedge]
    incidences: int


def change_of(arrays: Incidence, share: float = SHARE, seed: int = 1) -> Change:
    """A change of this share of all incidences, the same for the same seed."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(arrays.edge_count)
    sizes = np.diff(arrays.member_ptr)[order]
    wanted = max(1, int(len(arrays.member_node) * share))
    retired = np.sort(order[: int(np.searchsorted(np.cumsum(sizes), wanted)) + 1])
    created = [_moved(arrays, edge, chance) for edge in retired.tolist()]
    return Change(retired, created, int(np.diff(arrays.member_ptr)[retired].sum()))


def _moved(arrays: Incidence, edge: int, chance: np.random.Generator) -> Hyperedge:
    """The hyperedge with its last member replaced by another node of that kind; a symbol stays in its
    file, and its lines move."""
    fact = read_edge(arrays, edge)
    last = fact.members[-1]
    if fact.kind is EdgeKind.CONTAINS:
        return fact._replace(members=(*fact.members[:-1], last._replace(end=last.end + 1)))
    nodes = arrays.nodes_of(last.kind)
    key = arrays.keys[int(nodes[chance.integers(len(nodes))])]
    return fact._replace(members=(*fact.members[:-1], last._replace(key=key)))


def measure(
    arrays: Incidence, *, share: float = SHARE, rounds: int = 5, build_seconds: float | None = None
) -> dict[str, float | int]:
    """Seconds of renewing and of building, and their ratio.

    Parameters
    ----------
    build_seconds : float or None
        What a full build takes, where that was measured already (from the store, say); None builds
        from the facts in memory.
    """
    change = change_of(arrays, share)
    marks: dict[str, Any] = {"commit": "c" * 40, "tree": "t" * 40}
    arrays.adjacency()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "code.arrays"
        arrays.save(place)
        taken = []
        for _ in range(rounds):
            begun = time.perf_counter()
            old = Incidence.open(place)
            new = renew(
                old, created=change.created, retired=change.retired, gone=(), head=arrays.head + 1, **marks
            )
            new.save(Path(folder) / "renewed.arrays", durable=False)
            taken.append(time.perf_counter() - begun)
        if build_seconds is None:
            facts = list(new.facts())
            begun = time.perf_counter()
            Incidence.build(facts, scope=arrays.scope, head=1, **marks).save(Path(folder) / "built.arrays")
            build_seconds = time.perf_counter() - begun
    best = min(taken)
    return {
        "incidences": len(arrays.member_node),
        "moved_incidences": change.incidences,
        "delta_s": round(best, 4),
        "build_s": round(build_seconds, 4),
        "delta_ratio": round(best / build_seconds, 4),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--share", type=float, default=SHARE)
    given = parser.parse_args()
    figures = measure(Incidence.open(given.file), share=given.share)
    print_table(figures, {})
    print_figures("renewal", given.file.name, figures)


if __name__ == "__main__":
    main()
