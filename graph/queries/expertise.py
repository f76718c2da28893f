"""Who changed the symbols of a change's cone: not the files that it touches, but what it reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from graph.errors import RepositoryError
from graph.ingest.git import Mirror
from graph.ingest.lineage import MAX_FILE, Span, Step, trace_spans
from graph.judgement import Judgement
from graph.overlay import Version
from graph.queries.contributions import Contributions
from graph.queries.impact import impact
from graph.queries.nodes import NodeView
from graph.queries.proofs import StepView
from graph.schema import NodeKind, Sort

DEPTH = 3
"""Steps from the change within which somebody's knowledge of a symbol counts."""
MAX_SYMBOLS = 40
MAX_STEPS = 60
"""Commits of one file that are looked at, newest first."""


class Known(NamedTuple):
    """A symbol of the cone, who the path is from the change to it, and the commits that changed it.

    `distance` is 0 for what changed itself; `commits` are places in the contributions, newest first.
    """

    symbol: NodeView
    distance: int
    path: tuple[StepView, ...]
    commits: tuple[int, ...]


class _Wanted(NamedTuple):
    symbol: NodeView
    distance: int
    path: tuple[StepView, ...]
    span: Span
    side: Version


def read_expertise(
    mirror: Mirror,
    judged: Judgement,
    contributions: Contributions,
    visible: range,
    own: frozenset[str],
    deadline: float,
) -> tuple[tuple[Known, ...], bool]:
    """Commits behind each symbol that the change touches or reaches nearby, and whether all were read.

    Parameters
    ----------
    visible : range
        Places of the commits that may be looked at: those before the change.
    own : frozenset of str
        Ids of the change's own commits, which say nothing.
    deadline : float
        Value of `time.monotonic` at which to stop.
    """
    files: dict[tuple[str, Version], list[_Wanted]] = defaultdict(list)
    for wanted in _wanted(judged):
        files[wanted.symbol.path, wanted.side].append(wanted)
    found: list[Known] = []
    complete = True
    # What changed itself counts most, so its files come first.
    for (path, side), group in sorted(files.items(), key=lambda item: min(w.distance for w in item[1])):
        data = _content(mirror, judged, path, side)
        if data is None:
            complete = False
            continue
        steps = list(_steps(contributions, path, visible, own))
        spans = [wanted.span for wanted in group]
        traced, whole = trace_spans(mirror, data, spans, steps[:MAX_STEPS], deadline)
        complete &= whole and len(steps) <= MAX_STEPS
        for wanted, commits in zip(group, traced, strict=True):
            if commits:
                places = tuple(contributions.by_id[commit] for commit in commits)
                found.append(Known(wanted.symbol, wanted.distance, wanted.path, places))
    return tuple(sorted(found, key=lambda known: (known.distance, known.symbol.key))), complete


def _wanted(judged: Judgement) -> Iterator[_Wanted]:
    """The symbols that changed and the nearest that are reached, with their lines; tests are not asked."""
    cone = impact(judged.graph, judged.starts, depth=DEPTH, limit=MAX_SYMBOLS)
    reached = [(item.node, item.distance, item.path) for item in cone.items]
    starts = [(view, 0, ()) for view in cone.starts[:MAX_SYMBOLS]]
    for view, distance, path in [*starts, *reached]:
        if view.kind is not NodeKind.SYMBOL or view.sort is Sort.MODULE:
            continue
        node = judged.graph.find(view.kind, view.key)
        first, last = int(judged.graph.line[node]), int(judged.graph.end[node])
        if 1 <= first <= last:
            version = list(Version)[int(judged.graph.node_version[node])]
            yield _Wanted(view, distance, path, Span(first, last), version)


def _content(mirror: Mirror, judged: Judgement, path: str, side: Version) -> bytes | None:
    tree = judged.change.base.tree if side is Version.BASE else judged.change.head.tree
    try:
        entry = mirror.entry(tree, path)
        return mirror.blob(entry.blob) if entry and entry.size <= MAX_FILE else None
    except RepositoryError:
        if not mirror.partial:
            raise
        return None


def _steps(contributions: Contributions, path: str, visible: range, own: frozenset[str]) -> Iterator[Step]:
    now = contributions.now.get(path, path)
    for place in reversed(contributions.by_file.get(now, [])):
        commit = contributions.commits[place]
        if place in visible and commit.commit not in own:
            then = commit.then[commit.files.index(now)]
            yield Step(commit.commit, then, commit.before.get(then, then))
