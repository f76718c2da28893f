"""Whether static selection leaves out a test that executes what it starts from.

    python -m benchmarks.static_reach CLONE --recording FILE [--sample N] [--seed N]

For each function that a recorded test executed, the closure is asked which tests it reaches: every test
that executed it must be among them. A missing pair is a hole in the rules of `graph.queries.static_tests`.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from pathlib import Path

from maestro_selection import recording as recordings

from benchmarks.figures import print_figures
from graph.errors import RepositoryError
from graph.facts import Scope
from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.ingest.recordings import Layout, identifier
from graph.queries.static_tests import Following
from graph.resolution import resolve
from graph.schema import NodeKind, Sort
from graph.workspace import Workspace

Pairs = dict[str, set[str]]
_FUNCTIONS = (Sort.FUNCTION.value, Sort.METHOD.value)


def executed(scope: Scope, mirror: Mirror, recording: recordings.Recording) -> Pairs:
    """Keys of the functions that tests executed, each with the keys of these tests."""
    layouts: dict[str, Layout] = {}
    found: Pairs = defaultdict(set)
    for node, test in recording.tests.items():
        key = scope.test(*identifier(node))
        for step in test.steps:
            for path, lines in step.trace.lines.items():
                if path not in layouts:
                    layouts[path] = Layout(scope, path, mirror.blob(recording.files[path]))
                for symbol in layouts[path].executed(lines):
                    if dict(symbol.props)["sort"] in _FUNCTIONS:
                        found[symbol.key].add(key)
    return found


def measure(clone: Path, file: Path, sample: int, seed: int) -> dict[str, float]:
    """Resolve the recording's commit, and hold the closures of its functions against what was executed."""
    recording = recordings.read(file)
    scope = Scope("local", "repository")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.prepare(scope)
        mirror = Mirror.refresh(clone, workspace.mirror(scope))
        commit = mirror.resolve(recording.commit)
        facts = resolve(workspace, mirror, scope, commit.tree).batch
        graph = Incidence.build(facts, scope=scope, head=1, commit=commit.id, tree=commit.tree)
        pairs = executed(scope, mirror, recording)
        chosen = random.Random(seed).sample(sorted(pairs), min(sample, len(pairs)))
        return _held(graph, mirror, recording, {key: pairs[key] for key in chosen})


def _held(
    graph: Incidence, mirror: Mirror, recording: recordings.Recording, pairs: Pairs
) -> dict[str, float]:
    def text(path: str) -> bytes | None:
        try:
            return mirror.blob(recording.files[path]) if path in recording.files else None
        except RepositoryError:
            return None

    following = Following(graph, text)
    tests = graph.nodes_of(NodeKind.TEST).tolist()
    known = {graph.keys[node] for node in tests}
    total = missing = 0
    share = 0.0
    for key, ran in sorted(pairs.items()):
        node = graph.find(NodeKind.SYMBOL, key)
        reached = following.closure([node]).nodes if node >= 0 else set()
        lost = ran - {graph.keys[each] for each in reached}
        share += len(reached.intersection(tests)) / max(1, len(tests))
        total, missing = total + len(ran), missing + len(lost)
        if lost:
            unknown = "" if lost & known else " (the graph does not know these tests)"
            function, test = (name.partition(":")[2] for name in (key, min(lost)))
            print(f"MISSED {function}: {len(lost)} tests, as {test}{unknown}")
    return {
        "functions": len(pairs),
        "pairs": total,
        "missing": missing,
        "share_mean": round(share / max(1, len(pairs)), 4),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figures = measure(given.clone, given.recording, given.sample, given.seed)
    for name, value in figures.items():
        print(f"{name:<12}{value:>12,}")
    print_figures("static_reach", given.clone.resolve().name, figures)


if __name__ == "__main__":
    main()
