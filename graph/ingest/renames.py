"""Which deleted file became which added one: equal content first, then similar content.

The measure is git's (gitdiffcore(7), rename detection): the bytes of the old content that are found
again in the new, counted by line, over the size of the larger. It is computed here and not by the
library so that contents are bounded (`MAX_SIZE`, `MAX_PAIRS`) and paths stay ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

THRESHOLD = 50
"""Least similarity, in percent, of what counts as a rename: git's default."""
MAX_SIZE = 1_000_000
"""Bytes of a file that is still compared by content."""
MAX_PAIRS = 10_000
"""Pairs of a deleted and an added file that are still compared by content in one change."""


class Rename(NamedTuple):
    """A file that was at `old` and is at `new`; similarity in percent."""

    old: str
    new: str
    similarity: int


def match_equal(deleted: Mapping[str, bytes], added: Mapping[str, bytes]) -> list[Rename]:
    """Pair files of equal content (path to blob id), those of the same name first."""
    places: dict[bytes, list[str]] = defaultdict(list)
    for path in sorted(added):
        places[added[path]].append(path)
    found = []
    for old in sorted(deleted):
        if candidates := places.get(deleted[old]):
            name = _name(old)
            new = next((path for path in candidates if _name(path) == name), candidates[0])
            candidates.remove(new)
            found.append(Rename(old, new, 100))
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def match_similar(
    deleted: Mapping[str, bytes],
    added: Mapping[str, bytes],
    size: Callable[[bytes], int],
    read: Callable[[bytes], bytes],
) -> list[Rename]:
    """Pair files of similar content, best pairs first, each file once.

    Parameters
    ----------
    deleted, added : mapping
        Path to 20-byte blob id.
    size, read : callable
        Size in bytes (-1: not there) and content of a blob.
    """
    if not deleted or not added or len(deleted) * len(added) > MAX_PAIRS:
        return []
    olds = {path: length for path, ident in deleted.items() if 0 < (length := size(ident)) <= MAX_SIZE}
    news = {path: length for path, ident in added.items() if 0 < (length := size(ident)) <= MAX_SIZE}
    close = [
        (old, new)
        for old, a in olds.items()
        for new, b in news.items()
        if min(a, b) * 100 >= max(a, b) * THRESHOLD
    ]
    lines: dict[bytes, Counter[bytes]] = {}

    def counted(ident: bytes) -> Counter[bytes]:
        if ident not in lines:
            lines[ident] = Counter(read(ident).splitlines(keepends=True))
        return lines[ident]

    scored = []
    for old, new in close:
        percent = similarity(counted(deleted[old]), counted(added[new]), max(olds[old], news[new]))
        if percent >= THRESHOLD:
            scored.append((-percent, _name(old) != _name(new), old, new))
    return _assign(sorted(scored))


def _assign(scored: list[tuple[int, bool, str, str]]) -> list[Rename]:
    taken_old: set[str] = set()
    taken_new: set[str] = set()
    found = []
    for percent, _, old, new in scored:
        if old not in taken_old and new not in taken_new:
            taken_old.add(old)
            taken_new.add(new)
            found.append(Rename(old, new, -percent))
    return found


def similarity(old: Counter[bytes], new: Counter[bytes], larger: int) -> int:
    """Percent of the larger file's bytes that are lines of both (below 100 unless all are)."""
    if len(old) > len(new):
        old, new = new, old
    copied = 0
    for line, count in old.items():
        if there := new.get(line):
            copied += len(line) * min(count, there)
    return copied * 100 // larger if larger else 0
