"""Which commits changed some lines of a file: line spans carried back through its commits.

As `git log -L` does, but over commits that are known to touch the file, and within a budget. Each
commit is compared with the file as it was before; a span that a difference touches was changed by
it, and moves up or down with the lines before it otherwise. Along parallel branches the file is
first brought in line with what the commit left of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pygit2

from graph.errors import RepositoryError
from graph.ingest.git import Mirror, commit_parents, commit_tree, split_commit

MAX_FILE = 1_000_000
"""Bytes of a file beyond which its lines are not followed."""


class Hunk(NamedTuple):
    """Lines that differ, 1-based; where a side has none, the line after which they would stand."""

    old: int
    old_lines: int
    new: int
    new_lines: int


class Span(NamedTuple):
    """Lines of a file, 1-based, both included."""

    first: int
    last: int


class Step(NamedTuple):
    """A commit that touches the file: what it is called after it, and before it."""

    commit: str
    path: str
    before: str


def trace_spans(
    mirror: Mirror,
    data: bytes,
    spans: Sequence[Span],
    steps: Iterable[Step],
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[list[str]], bool]:
    """Commits that changed each span, newest first, and whether all steps could be looked at.

    Parameters
    ----------
    data : bytes
        The file as the spans count its lines.
    steps
        Newest first.
    deadline : float
        Value of `clock` at which to stop.
    """
    found: list[list[str]] = [[] for _ in spans]
    alive: list[Span | None] = list(spans)
    if not _readable(data):
        return found, False
    for step in steps:
        if not any(alive):
            return found, True
        if clock() > deadline:
            return found, False
        sides = _sides(mirror, step)
        if sides is None:
            return found, False
        before, after = sides
        if after != data:
            alive = [span and carry(span, hunks)[1] for hunks in (_hunks(after, data),) for span in alive]
        hunks = _hunks(before, after)
        for at, span in enumerate(alive):
            if span is not None:
                touched, alive[at] = carry(span, hunks)
                if touched:
                    found[at].append(step.commit)
        data = before
    return found, True


def carry(span: Span, hunks: Sequence[Hunk]) -> tuple[bool, Span | None]:
    """Whether differences touch a span of the new side, and where it stands on the old; None: nowhere."""
    first, last = span
    up = down = 0
    touched = False
    begin = end = None
    for hunk in hunks:
        final = hunk.new + max(hunk.new_lines, 1) - 1
        if final < first:
            up += hunk.old_lines - hunk.new_lines
        elif hunk.new <= last - (hunk.new_lines == 0):
            touched = True
            if hunk.new <= first and hunk.new_lines:
                begin = hunk.old if hunk.old_lines else hunk.old + 1
            if final >= last and hunk.new_lines:
                end = hunk.old + hunk.old_lines - 1 if hunk.old_lines else hunk.old
            else:
                down += hunk.old_lines - hunk.new_lines
    old = Span(first + up if begin is None else begin, last + up + down if end is None else end)
    return touched, old if 1 <= old.first <= old.last else None


def _hunks(old: bytes, new: bytes) -> list[Hunk]:
    if old == new:
        return []
    patch = pygit2.Patch.create_from(old, new, context_lines=0, interhunk_lines=0)
    return [Hunk(h.old_start, h.old_lines, h.new_start, h.new_lines) for h in patch.hunks]


def _readable(data: bytes) -> bool:
    return len(data) <= MAX_FILE and b"\0" not in data[:8000]


def _sides(mirror: Mirror, step: Step) -> tuple[bytes, bytes] | None:
    """The file before and after a commit; None where it cannot be read."""
    try:
        header = split_commit(mirror.raw_commit(step.commit))[0]
        parents = () if step.commit in mirror.boundary else commit_parents(header)
        after = _content(mirror, commit_tree(header), step.path)
        before = b""
        if parents:
            tree = commit_tree(split_commit(mirror.raw_commit(parents[0]))[0])
            before = _content(mirror, tree, step.before)
    except RepositoryError:
        # A partial clone lacks some contents: what cannot be read is not followed, and said.
        if not mirror.partial:
            raise
        return None
    return (before, after) if _readable(before) and _readable(after) else None


def _content(mirror: Mirror, tree: str, path: str) -> bytes:
    entry = mirror.entry(tree, path)
    return mirror.blob(entry.blob) if entry and entry.kind == "file" and entry.size <= MAX_FILE else b""
