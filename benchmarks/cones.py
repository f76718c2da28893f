"""How long a cone takes on the arrays of a real repository.

    python -m benchmarks.cones CLONE [--rev REV] [--depth N] [--sample N] [--seed N]
    python -m benchmarks.cones --arrays FILE

Resolves the clone (nothing of it is run), writes and maps its arrays, and asks for the cones of
sampled symbols, one symbol each, at the default tier: what is reached, tiers, distances, what
is possible and what could not be followed. Proofs and names are described apart, as they are
only for what is shown.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import print_figures, timed
from graph.facts import Scope
from graph.incidence import Incidence
from graph.queries.impact import impact
from graph.reach import DEPTH, cone
from graph.schema import NodeKind

LIMITS = {"p50_ms": (5.0, 1.0), "max_ms": (50.0, 20.0)}
"""The most that is allowed of a figure, and what is aimed at."""
SHOWN = 50


def resolved(clone: Path, rev: str, folder: Path) -> Path:
    """The array file of a revision of a clone, resolved from nothing."""
    from graph.ingest.git import Mirror
    from graph.resolution import resolve
    from graph.workspace import Workspace

    scope, workspace = Scope("local", clone.resolve().name), Workspace(folder)
    workspace.prepare(scope)
    mirror = Mirror.refresh(clone, workspace.mirror(scope))
    commit = mirror.resolve(rev)
    begun = time.perf_counter()
    facts = resolve(workspace, mirror, scope, commit.tree).batch
    print(f"resolved in {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    built = Incidence.build(facts, scope=scope, head=1, commit=commit.id, tree=commit.tree)
    print(f"built in {time.perf_counter() - begun:.2f} s")
    path = workspace.arrays(scope, "code")
    begun = time.perf_counter()
    built.save(path)
    print(f"saved in {time.perf_counter() - begun:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
    return path


def measure(path: Path, depth: int, sample: int, seed: int) -> dict[str, float]:
    """Figures of the cones of sampled symbols, and what stands beside them for people."""
    begun = time.perf_counter()
    incidence = Incidence.open(path)
    print(f"opened in {(time.perf_counter() - begun) * 1e3:.1f} ms")
    symbols = incidence.nodes_of(NodeKind.SYMBOL).tolist()
    chosen = random.Random(seed).sample(symbols, min(sample, len(symbols)))
    entries = len(incidence.adjacency().node)
    print(
        f"{incidence.scope.repository}: {incidence.node_count:,} nodes, {incidence.edge_count:,} hyperedges, "
        f"{len(incidence.member_node):,} members, {entries:,} dependencies"
    )
    timed(lambda node: cone(incidence, [node], depth=depth), chosen[:20])
    sizes = []
    spans = timed(lambda node: sizes.append(len(cone(incidence, [node], depth=depth).nodes)), chosen)
    described = timed(lambda node: impact(incidence, [node], depth=depth, limit=SHOWN), chosen[:100])
    print(f"cones reach {np.median(sizes):,.0f} at the median, {max(sizes):,} at most")
    middle, most = np.median(described), described.max()
    print(f"described with {SHOWN} proofs each: {middle:.2f} ms at the median, {most:.2f} at most")
    return {
        "p50_ms": round(float(np.percentile(spans, 50)), 3),
        "p95_ms": round(float(np.percentile(spans, 95)), 3),
        "max_ms": round(float(spans.max()), 3),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path, nargs="?")
    parser.add_argument("--arrays", type=Path)
    parser.add_argument("--rev", default="HEAD")
    parser.add_argument("--depth", type=int, default=DEPTH)
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if (asked.clone is None) == (asked.arrays is None):
        parser.error("give a clone, or --arrays FILE")
    with tempfile.TemporaryDirectory() as folder:
        path = asked.arrays or resolved(asked.clone, asked.rev, Path(folder))
        figures = measure(path, asked.depth, asked.sample, asked.seed)
    for name, value in figures.items():
        bar, aim = LIMITS.get(name, (None, None))
        verdict = ""
        if bar is not None and aim is not None:
            reached = "reaches the aim" if value <= aim else "within the bar"
            verdict = f"  {reached if value <= bar else 'ABOVE the bar'} (bar {bar:g}, aim {aim:g})"
        print(f"{name:<8}{value:>10.3f}{verdict}")
    print_figures("cones", (asked.clone or asked.arrays).resolve().name, figures)


if __name__ == "__main__":
    main()
