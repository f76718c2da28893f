"""Which deleted symbol is which added one under another name or in another place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from graph.schema import Sort


class Shape(NamedTuple):
    """A symbol as pairing sees it: `content` are the digests of its code and signature."""

    node: int
    path: str
    qualname: str
    sort: Sort | None
    content: bytes

    @property
    def owner(self) -> str:
        """Qualified name of what encloses it."""
        return self.qualname.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its bare name."""
        return self.qualname.rpartition(".")[2]


_WAYS: tuple[Callable[[Shape], Hashable], ...] = (
    lambda shape: (shape.path, shape.owner),
    lambda shape: shape.path,
    lambda shape: shape.qualname,
    lambda shape: shape.name,
)


def pair(deleted: Sequence[Shape], added: Sequence[Shape]) -> Iterator[tuple[int, int]]:
    """Pairs (node of deleted, node of added) with equal content, each node at most once.

    Those of one file and enclosing symbol are paired first, then those of one file, then those
    of one qualified name and one bare name across files; what is left only where it is the only
    one of its content on both sides. A class counts with all that it holds, a module not at all:
    that a file moved is for git to tell.
    """
    left, right = list(_contents(deleted)), list(_contents(added))
    for way in (*_WAYS, None):
        groups: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, shapes in enumerate((left, right)):
            for shape, content in shapes:
                groups[content, way(shape) if way else None][side].append(shape.node)
        taken: set[int] = set()
        for olds, news in groups.values():
            if way or len(olds) == len(news) == 1:
                for old, new in zip(olds, news, strict=False):
                    taken.update((old, new))
                    yield old, new
        left = [row for row in left if row[0].node not in taken]
        right = [row for row in right if row[0].node not in taken]


def _contents(shapes: Sequence[Shape]) -> Iterator[tuple[Shape, Hashable]]:
    inside: dict[tuple[str, str], list[tuple[str, bytes]]] = defaultdict(list)
    for shape in shapes:
        inside[shape.path, shape.owner].append((shape.name, shape.content))
    for shape in shapes:
        if shape.sort is Sort.CLASS:
            held = tuple(sorted(inside[shape.path, shape.qualname]))
            yield shape, (shape.sort, shape.content, held)
        elif shape.sort is not Sort.MODULE:
            yield shape, (shape.sort, shape.content)
