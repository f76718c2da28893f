"""Where files stand: absolute paths, as code and audit events name them, to paths of the repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

SKIPPED_PARTS = frozenset((".git", ".hg", "__pycache__", ".pytest_cache", "node_modules", "site-packages"))


class Place:
    """A repository on disk.

    Parameters
    ----------
    root : str
        Its folder.
    apart : iterable of str
        Folders within it that are not of it: virtual environments.
    """

    def __init__(self, root: str, apart: Iterable[str] = ()) -> None:
        self.root = os.path.abspath(root)
        # The same folder may be named through a link and without it.
        self._prefixes = tuple({self.root + os.sep, os.path.realpath(self.root) + os.sep})
        self._apart = tuple(os.path.join(self.root, folder) + os.sep for folder in apart)
        self._known: dict[str, str] = {}

    @classmethod
    def at(cls, root: str) -> Place:
        """The repository in a folder, its virtual environments left out."""
        return cls(root, environments(root))

    @property
    def apart(self) -> tuple[str, ...]:
        """The folders that are left out, absolute."""
        return tuple(folder.rstrip(os.sep) for folder in self._apart)

    def relative(self, path: str) -> str:
        """The path within the repository, with slashes; empty for what is not of it.

        The root itself is `.`. A relative path is taken from the current folder.
        """
        known = self._known.get(path)
        if known is not None:
            return known
        if os.path.isabs(path):
            found = self._known[path] = self._relative(path)
            return found
        try:
            return self._relative(os.path.join(os.getcwd(), path))
        except FileNotFoundError:
            return ""

    def _relative(self, path: str) -> str:
        whole = os.path.normpath(path)
        for prefix in self._prefixes:
            if whole.startswith(prefix):
                inner = whole[len(prefix) :].replace(os.sep, "/")
                skipped = whole.startswith(self._apart) or not SKIPPED_PARTS.isdisjoint(inner.split("/"))
                return "" if skipped else inner
            if whole + os.sep == prefix:
                return "."
        return ""


def environments(root: str) -> list[str]:
    """Folders of virtual environments within a folder, relative to it, two levels deep."""
    found = []
    inside = os.path.relpath(sys.prefix, root)
    if not inside.startswith(os.pardir) and inside != os.curdir and not os.path.isabs(inside):
        found.append(inside)
    folders = [""]
    for _ in range(2):
        deeper = []
        for folder in folders:
            try:
                entries = list(os.scandir(os.path.join(root, folder)))
            except OSError:  # a folder that cannot be listed holds nothing that could be imported
                continue
            for entry in entries:
                if entry.name in SKIPPED_PARTS or not entry.is_dir(follow_symlinks=False):
                    continue
                inner = os.path.join(folder, entry.name)
                if os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                    found.append(inner)
                else:
                    deeper.append(inner)
        folders = deeper
    return sorted(set(found))
