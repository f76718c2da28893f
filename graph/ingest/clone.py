"""Where a clone keeps its things: found by looking, without obeying a single setting of it.

Nothing here opens the clone with a git library, since that would read its configuration, and
configuration is where a hostile clone names programs to run. The layout is that of
gitrepository-layout(5): `.git` may be a folder or a file that names one, a worktree's folder names
the common one, and `objects/info/alternates` names further object folders.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from graph.errors import RepositoryError

SMALL = 64 * 1024
"""Bytes read of a file that should hold one line, or a few."""
MAX_ALTERNATES = 16

_SECTION = re.compile(r"\s*\[\s*([A-Za-z0-9.-]+)\s*(?:\"[^\"]*\")?\s*\]\s*(.*)")
_SETTING = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*([^#;]*))?")
_HEX = re.compile(r"[0-9a-f]{40}")


class Clone(NamedTuple):
    """A clone's places.

    `root` is the folder a person would name; `folder` holds this worktree's HEAD; `common` holds
    refs; `objects` are the object folders, the clone's own first, alternates after it.
    """

    root: Path
    folder: Path
    common: Path
    objects: tuple[Path, ...]
    partial: bool
    bare: bool


def read_small(path: Path) -> str:
    """The text of a small regular file, never of a link, pipe or device; empty where there is none."""
    return read_whole(path, SMALL)


def read_whole(path: Path, limit: int = 64 * 1024 * 1024) -> str:
    """The text of a regular file that may be large, up to a limit; empty where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ""
        return file.read(limit).decode("utf-8", "surrogateescape")


def _is_git_folder(path: Path) -> bool:
    """Whether a folder has what a git folder must: HEAD, and objects and refs or a way to them."""
    # Old tools made HEAD a symbolic link to a branch that may not exist yet.
    if not (path / "HEAD").is_file() and not (path / "HEAD").is_symlink():
        return False
    if (path / "commondir").is_file():
        return True
    return (path / "objects").is_dir() and (path / "refs").is_dir()


def _named_by(link: Path, root: Path) -> Path:
    """The git folder that a `.git` file names."""
    text = read_small(link)
    if not text.startswith("gitdir:"):
        raise RepositoryError(
            f"{link} is a file that does not name a git folder.",
            "Clone the repository again, or remove that file.",
        )
    folder = Path(os.path.normpath(root / text[len("gitdir:") :].strip()))
    if not _is_git_folder(folder):
        raise RepositoryError(
            f"{link} points to {folder}, which is not a git folder.",
            "A worktree or submodule was moved; run `git worktree repair` in it, or clone again.",
        )
    return folder


def _find(start: Path) -> tuple[Path, Path, bool]:
    """Root, git folder, and whether it is bare, for a path in or of a clone."""
    for root in (start, *start.parents):
        inside = root / ".git"
        if inside.is_dir() and _is_git_folder(inside):
            return root, inside, False
        if inside.is_file():
            return root, _named_by(inside, root), False
        if _is_git_folder(root):
            # A folder called .git was named itself: the clone is the one around it.
            return (root.parent, root, False) if root.name == ".git" else (root, root, True)
    raise RepositoryError(
        f"{start} is not in a git repository.",
        "Name the folder of a git clone, or make one with `git init` and a first commit.",
    )


def locate(source: Path) -> Clone:
    """Find the clone that a path is, or lies in.

    Raises
    ------
    RepositoryError
        No such path, no folder, no git repository, or one in a format that cannot be read.
    """
    if not source.exists():
        raise RepositoryError(f"There is nothing at {source}.", "Check the path of the repository.")
    if not source.is_dir():
        raise RepositoryError(
            f"{source} is a file, not a repository.",
            f"Name the folder of the clone instead, perhaps {source.parent}.",
        )
    root, folder, bare = _find(source.resolve())
    common = folder
    if named := read_small(folder / "commondir").strip():
        common = Path(os.path.normpath(folder / named))
        if not _is_git_folder(common):
            raise RepositoryError(
                f"The worktree at {root} belongs to {common}, which is not a git folder.",
                "Run `git worktree repair` in the main clone, or clone again.",
            )
    partial = _check_format(root, common)
    return Clone(root, folder, common, _object_folders(common / "objects"), partial, bare)


def _settings(text: str) -> dict[str, str]:
    """`section.name` to value of the few plain settings that say a repository's format."""
    section, found = "", {}
    for line in text.splitlines():
        rest = line
        if header := _SECTION.match(line):
            section, rest = header[1].lower(), header[2]
        if (setting := _SETTING.match(rest)) and setting[1]:
            found[f"{section}.{setting[1].lower()}"] = (setting[2] or "true").strip().strip('"').lower()
    return found


def _check_format(root: Path, common: Path) -> bool:
    """Refuse formats that cannot be read; say whether the clone is a partial one."""
    found = _settings(read_whole(common / "config"))
    if (digest := found.get("extensions.objectformat", "sha1")) != "sha1":
        raise RepositoryError(
            f"{root} names its objects by {digest}; Maestro reads repositories that use sha1.",
            "Clone it with sha1 names, or wait for support of this format.",
        )
    if (storage := found.get("extensions.refstorage", "files")) != "files":
        raise RepositoryError(
            f"{root} keeps its branches in the {storage} format, which is not supported.",
            "Run `git refs migrate --ref-format=files` in it.",
        )
    return "extensions.partialclone" in found or found.get("remote.promisor") == "true"


def _is_object_folder(path: Path) -> bool:
    """Whether a folder is one of git's object folders: what is asked of an alternate."""
    return path.is_dir() and path.name == "objects" and ((path / "pack").is_dir() or (path / "info").is_dir())


def _object_folders(first: Path) -> tuple[Path, ...]:
    """The clone's object folder and its alternates, transitively, each once, a bounded number."""
    found: list[Path] = []
    waiting = [first.resolve()]
    while waiting and len(found) < MAX_ALTERNATES:
        folder = waiting.pop(0)
        if folder in found or not (folder == first.resolve() or _is_object_folder(folder)):
            continue
        found.append(folder)
        for line in read_small(folder / "info" / "alternates").splitlines():
            if line and not line.startswith("#") and "\0" not in line:
                waiting.append((folder / line).resolve())
    return tuple(found)


class Refs(NamedTuple):
    """What the clone's names stand for: `head` is an id or a full ref name (`refs/heads/x`)."""

    head: str
    ids: dict[str, str]
    """Full ref name to object id."""
    shallow: tuple[str, ...]
    """Commits whose parents the clone does not have."""


def read_refs(clone: Clone) -> Refs:
    """Read HEAD, loose and packed refs and the shallow boundary as they stand now."""
    ids = _packed(clone.common / "packed-refs")
    symbolic: dict[str, str] = {}
    for name, text in _loose(clone.common / "refs"):
        if text.startswith("ref:"):
            symbolic[name] = text[4:].strip()
        elif _HEX.fullmatch(text[:40]):
            ids[name] = text[:40]
    for name, target in symbolic.items():
        if target in ids:
            ids[name] = ids[target]
    shallow = tuple(sorted(set(_HEX.findall(read_whole(clone.common / "shallow")))))
    return Refs(_head(clone), ids, shallow)


def _head(clone: Clone) -> str:
    path = clone.folder / "HEAD"
    text = f"ref: {os.readlink(path)}" if path.is_symlink() else read_small(path).strip()
    if text.startswith("ref:"):
        return text[4:].strip()
    if _HEX.fullmatch(text):
        return text
    raise RepositoryError(
        f"HEAD of {clone.root} is neither a branch nor a commit.",
        "Check out a branch in it, or clone it again.",
    )


def _packed(path: Path) -> dict[str, str]:
    ids = {}
    for line in read_whole(path).splitlines():
        if _HEX.match(line) and line[40:46] == " refs/":
            ids[line[41:]] = line[:40]
    return ids


def _loose(folder: Path) -> list[tuple[str, str]]:
    """Name and text of every loose ref below `refs/`; links are not followed."""
    found: list[tuple[str, str]] = []
    waiting = [(str(folder), "refs")]
    while waiting:
        place, prefix = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            name = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, name))
            elif not entry.name.endswith(".lock") and (text := read_small(Path(entry.path)).strip()):
                found.append((name, text))
    return found
