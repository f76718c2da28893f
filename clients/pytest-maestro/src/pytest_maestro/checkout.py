"""The state of the repository that tests run in: which files with which content, at which commit.

Git is asked by its command line, once for what it tracks and once for what differs; without git, or outside
of a clone, the Python files of the folder are all that is known.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_maestro.places import SKIPPED_PARTS, Place

LINK = "160000"
NEW = b"??"
TIME = 120
PLAIN = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--full-index",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


class Checkout:
    """A folder with the files of a repository.

    Parameters
    ----------
    root : str
        The clone's top folder, or the folder given where there is no clone.
    git : bool
        Whether it is a clone and git can be run.
    """

    def __init__(self, root: str, git: bool) -> None:
        self.root = root
        self.git = git
        self.place = Place.at(root)

    @classmethod
    def around(cls, folder: str) -> Checkout:
        """The clone that a folder is in, or the folder."""
        top = _output(folder, ["rev-parse", "--show-toplevel"])
        if top is None or not top.strip():
            return cls(os.path.abspath(folder), False)
        found = os.fsdecode(top.rstrip(b"\r\n"))
        # Keep the folder's own way of writing it, where that is the same place through a link.
        given = os.path.abspath(folder)
        while os.path.dirname(given) != given:
            if os.path.samefile(given, found):
                return cls(given, True)
            given = os.path.dirname(given)
        return cls(found, True)

    def commit(self) -> str:
        """What is checked out; empty without a commit."""
        found = self._git("rev-parse", "--verify", "--quiet", "HEAD")
        return found.decode("ascii").strip() if found else ""

    def roots(self) -> tuple[str, ...]:
        """The root commits, by which clones know each other; empty where history is cut off."""
        if not self.git or (self._git("rev-parse", "--is-shallow-repository") or b"").strip() != b"false":
            return ()
        found = self._git("rev-list", "--max-parents=0", "HEAD") or b""
        return tuple(sorted(found.decode("ascii").split()))

    def files(self) -> tuple[dict[str, str], bool]:
        """Blob ids of the files as they are on disk, and whether any differs from the commit.

        Files that git ignores are not among them; `blobs` tells of any file.
        """
        if not self.git:
            return self.blobs(self._python_files()), False
        listed = self._git("ls-files", "--stage", "-z")
        status = self._git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        if listed is None or status is None:
            return self.blobs(self._python_files()), True
        held: dict[str, str] = {}
        for entry in listed.split(b"\0")[:-1]:
            about, path = entry.split(b"\t", 1)
            mode, blob, _ = about.decode("ascii").split(" ")
            if mode != LINK:
                held[os.fsdecode(path)] = blob
        entries = [(entry[:2], os.fsdecode(entry[3:])) for entry in status.split(b"\0")[:-1]]
        # A virtual environment that git was not told to ignore is no part of the repository.
        entries = [(state, name) for state, name in entries if state != NEW or self._is_of_it(name)]
        differing = [name for state, name in entries if state[1:] != b" "]
        for name in differing:
            held.pop(name, None)
        held.update(self.blobs(differing))
        return held, bool(entries)

    def blobs(self, paths: Iterable[str]) -> dict[str, str]:
        """Blob ids of files as they are on disk; those that are not there, or are no files, are left out."""
        there = [path for path in paths if os.path.isfile(os.path.join(self.root, path))]
        if self.git and there:
            plain = [path for path in there if "\n" not in path]
            found = self._git("hash-object", "--stdin-paths", given="\n".join(plain) + "\n")
            ids = found.decode("ascii").split() if found else []
            if len(ids) == len(plain) == len(there):
                return dict(zip(plain, ids))
        return {path: blob for path in there if (blob := _blob(Path(self.root, path)))}

    def text(self, blob: str) -> bytes | None:
        """The content of a blob, when the clone has it."""
        return self._git("cat-file", "blob", blob) if self.git and blob else None

    def distance(self, commit: str) -> int | None:
        """Commits between another and the one checked out, on either side; None when it is not here."""
        if not commit:
            return None
        found = self._git("rev-list", "--count", f"{commit}...HEAD")
        return int(found) if found else None

    def diff(self, commit: str, most: int) -> str | None:
        """The unified diff from a commit to the files on disk, those that git does not track yet included.

        None where the commit is not here, or more than `most` files are not tracked.
        """
        found = self._git("diff", *PLAIN, commit, "--")
        others = self._git("ls-files", "--others", "--exclude-standard", "-z")
        if found is None or others is None:
            return None
        names = [name for each in others.split(b"\0")[:-1] if self._is_of_it(name := os.fsdecode(each))]
        if len(names) > most:
            return None
        parts = [found]
        for name in names:
            added = _output(self.root, ["diff", *PLAIN, "--no-index", "--", os.devnull, name], fine=(0, 1))
            if added is None:
                return None
            parts.append(added)
        return b"".join(parts).decode("utf-8", "replace")

    def _is_of_it(self, name: str) -> bool:
        return bool(self.place.relative(os.path.join(self.root, name)))

    def _python_files(self) -> list[str]:
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED_PARTS]
            for name in names:
                if name.endswith(".py"):
                    inner = self.place.relative(os.path.join(folder, name))
                    found += [inner] if inner else []
        return found

    def _git(self, *words: str, given: str | None = None) -> bytes | None:
        return _output(self.root, words, given) if self.git or words[0] == "rev-parse" else None


def _output(
    folder: str, words: Sequence[str], given: str | None = None, fine: tuple[int, ...] = (0,)
) -> bytes | None:
    """What git prints, or None when it fails or is not there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            input=os.fsencode(given) if given is not None else b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIME,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in fine else None


def _blob(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:  # it went away, or may not be read: it is not told of, and counts as changed
        return ""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
