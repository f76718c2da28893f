"""Bring a clone's objects into a mirror's object folder: hard links where they can be, else copies.

An object's name is the digest of its content and git never changes an object or pack in place, so
a hard link is as good as a copy and costs nothing (measured: 13 s for a local fetch of 165,000
objects through libgit2, 5 ms for linking its pack). What is linked is still not trusted: the library
compares every object with its name when it is read, and only regular files with git's names come
over. Indexes that nothing verifies (commit-graph, multi-pack-index, bitmaps) stay behind.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

from graph.errors import DiskError, RepositoryError

GRACE = 14 * 24 * 3600.0
"""Seconds that what a clone no longer has is kept: git's own prune delay."""

_FAN = re.compile(r"[0-9a-f]{2}")
_LOOSE = re.compile(r"[0-9a-f]{38}")
_PACK = re.compile(r"pack-[0-9a-f]{40,64}\.pack")
_NO_LINK = frozenset((errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES, errno.EOPNOTSUPP))


class Vanished(Exception):
    """A file listed a moment ago is gone: the clone is being repacked."""


def listed(folder: Path, names: re.Pattern[str]) -> set[str]:
    """Names in a folder that match wholly; none where there is no such folder."""
    try:
        return {name for name in os.listdir(folder) if names.fullmatch(name)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def import_objects(sources: tuple[Path, ...], into: Path, grace: float = GRACE) -> None:
    """Make `into` hold every object of the object folders `sources`.

    What none of them has any longer goes once it has been so for `grace` seconds.

    Raises
    ------
    RepositoryError
        A pack is damaged, or the clone was repacked again and again meanwhile.
    DiskError
        The mirror cannot be written.
    """
    for _ in range(5):
        try:
            loose = _import_loose(sources, into)
            packs = _import_packs(sources, into)
        except Vanished:
            continue
        _prune(into, loose, packs, grace)
        return
    raise RepositoryError(
        f"The clone at {sources[0].parent} changes while it is read.", "Wait until git has finished there."
    )


def _import_loose(sources: tuple[Path, ...], into: Path) -> set[str]:
    """Loose objects come first: git moves objects from loose files into packs, never back."""
    seen: set[str] = set()
    for source in sources:
        for fan in listed(source, _FAN):
            names = listed(source / fan, _LOOSE)
            seen.update(fan + name for name in names)
            missing = names - listed(into / fan, _LOOSE)
            if missing:
                _guard(into / fan, lambda place: place.mkdir(exist_ok=True))
            for name in missing:
                _bring(source / fan / name, into / fan / name)
    return seen


def _import_packs(sources: tuple[Path, ...], into: Path) -> set[str]:
    """The index comes after its pack, since readers look for the index."""
    place = into / "pack"
    have = {name for name in listed(place, _PACK) if (place / _index(name)).exists()}
    seen: set[str] = set()
    for source in sources:
        for name in listed(source / "pack", _PACK):
            index = source / "pack" / _index(name)
            if not index.exists():
                continue
            seen.add(name)
            if name in have:
                continue
            _bring(source / "pack" / name, place / name)
            _bring(index, place / _index(name))
            have.add(name)
            _check_pack(place / name, source)
    return seen


def _index(pack: str) -> str:
    return pack.removesuffix(".pack") + ".idx"


def _bring(source: Path, target: Path) -> None:
    """Link or copy one regular file; an existing target is taken as it is."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise Vanished from None
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise _unwritable(target, error) from error
        _copy(source, target)
    if not stat.S_ISREG(os.lstat(target).st_mode):
        os.unlink(target)
        raise RepositoryError(
            f"{source} is not a regular file, as git's objects are.", "Run `git fsck` in the clone."
        )


def _copy(source: Path, target: Path) -> None:
    """Copy under another name and rename, so that a half-written object is never seen."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Vanished from None
    except OSError as error:
        raise RepositoryError(
            f"{source} cannot be read: {error.strerror}.", "Check its rights, or clone the repository again."
        ) from error
    half = target.with_name(f"incoming-{os.getpid()}-{target.name}")
    with os.fdopen(handle, "rb") as reader:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RepositoryError(f"{source} is not a regular file.", "Run `git fsck` in the clone.")

        def write(place: Path) -> None:
            with open(place, "xb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
            os.replace(place, target)

        try:
            _guard(half, write)
        finally:
            half.unlink(missing_ok=True)


def _guard(place: Path, act: Callable[[Path], object]) -> None:
    """Do something to a place of ours; what the system refuses becomes a DiskError."""
    try:
        act(place)
    except OSError as error:
        raise _unwritable(place, error) from error


def _unwritable(place: Path, error: OSError) -> DiskError:
    return DiskError(f"Cannot write {place}: {error.strerror}.", "Make room or check the rights.")


def _check_pack(pack: Path, source: Path) -> None:
    """Take a pack back out whose ends do not fit its index (gitformat-pack(5): checksum trailers)."""
    index = pack.with_suffix(".idx")
    with open(pack, "rb") as file, open(index, "rb") as table:
        magic = file.read(4)
        sizes = os.fstat(file.fileno()).st_size, os.fstat(table.fileno()).st_size
        if magic == b"PACK" and min(sizes) >= 40:
            file.seek(-20, os.SEEK_END)
            table.seek(-40, os.SEEK_END)
            if file.read(20) == table.read(20):
                return
    index.unlink()
    pack.unlink()
    raise RepositoryError(
        f"The pack {pack.name} of {source.parent} is damaged.",
        "Run `git fsck` in the clone, or clone it again.",
    )


def _prune(into: Path, loose: set[str], packs: set[str], grace: float) -> None:
    """Drop what no source has any longer; the change time of a link tells since when."""
    before = time.time() - grace
    for name in listed(into / "pack", _PACK) - packs:
        pack = into / "pack" / name
        if _is_stale(pack, before):
            pack.with_suffix(".idx").unlink(missing_ok=True)
            pack.unlink(missing_ok=True)
    for fan in listed(into, _FAN):
        for name in listed(into / fan, _LOOSE):
            if fan + name not in loose and _is_stale(into / fan / name, before):
                (into / fan / name).unlink(missing_ok=True)


def _is_stale(path: Path, before: float) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_nlink == 1 and found.st_ctime <= before
