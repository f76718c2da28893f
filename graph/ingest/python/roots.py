"""Where imports start from: source roots found in the tree itself, and the module names they give.

A directory with `__init__.py` is a regular package and its topmost package's parent is a root (what pytest
calls `rootdir/conftest.py` style, and what an installed or src layout amounts to); a directory without one
may be a namespace package (PEP 420) of the roots above it. Nothing is configured; names are found by looking.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache

CONVENTIONAL = frozenset({"src", "lib", "Lib", "python", "source", "sources"})
"""Directories that commonly stand on the import path."""


class Roots:
    """Module names of a set of files.

    Parameters
    ----------
    paths : iterable of str
        Paths of the Python files, with `/`, relative to the repository.

    Attributes
    ----------
    files : dict from a stem (`a/b/c`; for `a/b/__init__.py` it is `a/b`) to its path
    directories : set of directories that hold Python files at any depth; "" is the repository's
    bases : dict from a root to the number of files whose own names start there
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.files: dict[str, str] = {}
        self.packages: set[str] = set()
        self.directories: set[str] = {""}
        self._stems: dict[str, str] = {}
        for path in sorted(paths, key=_precedence):
            self._place(path)
        self.bases: dict[str, int] = {}
        for stem in self.files:
            base = self.base(stem)
            self.bases[base] = self.bases.get(base, 0) + 1
        self._tops: dict[str, list[str]] = {}
        self._find_tops()

    def _place(self, path: str) -> None:
        stem = path[: path.rindex(".")] if "." in path.rpartition("/")[2] else path
        directory, _, name = stem.rpartition("/")
        if name == "__init__" and directory:
            self.packages.add(directory)
            stem = directory
        self._stems[path] = stem
        self.files.setdefault(stem, path)
        while directory not in self.directories:
            self.directories.add(directory)
            directory = directory.rpartition("/")[0]

    def stem(self, path: str) -> str:
        """The stem of a file that belongs to the program."""
        return self._stems[path]

    def base(self, stem: str) -> str:
        """The root that a file's own module name starts from."""
        directory = stem if stem in self.packages else stem.rpartition("/")[0]
        package = directory
        while package and package not in self.packages:
            package = package.rpartition("/")[0]
        if package:
            while package in self.packages:
                package = package.rpartition("/")[0]
            return package
        parts = directory.split("/") if directory else []
        for count in range(len(parts), 0, -1):
            if parts[count - 1] in CONVENTIONAL:
                return "/".join(parts[:count])
        return "" if all(part.isidentifier() for part in parts) else directory

    def name(self, path: str) -> str:
        """The dotted module name of a file, from its own root."""
        stem = self.stem(path)
        base = self.base(stem)
        return stem[len(base) + 1 if base else 0 :].replace("/", ".")

    def _find_tops(self) -> None:
        """Which roots could supply each top-level name."""
        for item in (*self.files, *self.directories):
            parent, _, name = item.rpartition("/")
            if item and (parent not in self.packages):
                roots = self._tops.setdefault(name, [])
                if parent not in roots:
                    roots.append(parent)

    def find(self, dotted: str, importer: str) -> str | None:
        """The stem that an absolute module name means in a file; None where it lies outside.

        Parameters
        ----------
        dotted : str
            Absolute name, `a.b.c`.
        importer : str
            Path of the importing file; empty to ask from nowhere.

        Notes
        -----
        Roots above the importing file are asked first, the nearest of them before the others (the order of
        `sys.path` under pytest and for scripts), then the other roots that hold regular packages.
        """
        top = dotted.partition(".")[0]
        roots = self._tops.get(top)
        if not roots:
            return None
        rest = dotted.replace(".", "/")
        for root in self._order(tuple(roots), importer.rpartition("/")[0], top):
            stem = f"{root}/{rest}" if root else rest
            if stem in self.files or (stem in self.directories and "." in dotted):
                return stem
            if stem in self.directories and importer and self._above(root, importer.rpartition("/")[0]):
                return stem
        return None

    @staticmethod
    def _above(root: str, directory: str) -> bool:
        return not root or directory == root or directory.startswith(root + "/")

    def _order(self, roots: tuple[str, ...], directory: str, top: str) -> list[str]:
        scored = []
        for root in roots:
            stem = f"{root}/{top}" if root else top
            regular = stem in self.packages
            above = self._above(root, directory)
            ready = root in self.bases and (regular or root.rpartition("/")[2] in CONVENTIONAL)
            if not (above or ready) or (
                top in sys.stdlib_module_names and not (above and stem in self.files)
            ):
                continue
            if above:
                scored.append((0, -len(root), root))
            else:
                scored.append((1, -_shared(root, directory) * 1000 + root.count("/"), root))
        return [root for _, _, root in sorted(scored)]

    def list(self) -> list[str]:
        """Roots that files' own names start from, those with most files first: an import path.

        A root inside of others comes before these where that moves no import, since no name can come from it
        and from one that it passes: whoever names a file after the first root above it then gives it the name
        by which others import it, and not `src.a` beside `a`.
        """
        found = sorted(self.bases, key=lambda root: (-self.bases[root], root))
        supplied: dict[str, set[str]] = {root: set() for root in found}
        for name, roots in self._tops.items():
            for root in roots:
                if root in supplied:
                    supplied[root].add(name)
        for root in tuple(found):
            place = found.index(root)
            outer = next(at for at, other in enumerate(found) if self._above(other, root))
            if all(supplied[root].isdisjoint(supplied[other]) for other in found[outer:place]):
                found.insert(outer, found.pop(place))
        return found


@lru_cache(maxsize=65536)
def _shared(first: str, second: str) -> int:
    """Number of leading directories that two paths share."""
    count = 0
    for left, right in zip(first.split("/"), second.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count


def _precedence(path: str) -> tuple[bool, bool, str]:
    """Source before stubs; a package before a module of the same name, as Python's finders have it."""
    return (not path.endswith(".py"), not path.endswith("/__init__.py"), path)
