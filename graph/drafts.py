"""Drafts: what is written beside its place and put there in one step, and swept where that never comes.

A draft is locked for as long as it is written. The system lets go of a lock when a process ends, whatever
ended it, so that a draft which somebody else can lock has no writer any more. Where a system or a disk has no
such locks (Windows, some network disks) drafts are written all the same, and none is ever swept.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

SUFFIX = ".draft"
"""What the names of drafts end with; they begin with a dot."""

_STEM = 80
_BUSY = (errno.EAGAIN, errno.EACCES)
_LIMITED = 0o600


@contextmanager
def draft(place: Path, *, durable: bool = False, mode: int = _LIMITED) -> Iterator[BinaryIO]:
    """A file to write that comes to stand at `place` when the context ends well, and is gone otherwise.

    Parameters
    ----------
    durable : bool
        Whether it must be there after a power failure, and not after the end of a process alone.
    mode : int
        Who may read it.

    Raises
    ------
    OSError
        It cannot be written or put in its place; what stood there still does.
    """
    handle, name = _made(place)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            if mode != _LIMITED:
                name.chmod(mode)
            if durable:
                os.fsync(out.fileno())
            if sys.platform != "win32":  # while it is locked still: nobody takes it for a dead writer's
                name.replace(place)
        if sys.platform == "win32":
            name.replace(place)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what counts; this one is swept later
            name.unlink()
        raise
    if durable:
        settle(place.parent)


def settle(folder: Path) -> None:
    """Make a rename durable, where the system lets a folder be synced."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class DraftFolder:
    """A folder for what is needed for a while; `close` it, or whoever sweeps after our end does.

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, parent: Path, stem: str) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=f".{stem}.", suffix=SUFFIX, dir=parent))
            try:
                self._handle = -1 if sys.platform == "win32" else os.open(self.path, os.O_RDONLY)
            except FileNotFoundError:  # swept already
                continue
            if self._handle < 0 or _ours(self._handle, self.path):
                return
            os.close(self._handle)

    def close(self) -> None:
        """Remove it and all that is in it; a second time does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(folder: Path, stem: str = "") -> int:
    """Remove drafts in a folder whose writers have ended; how many those were.

    Another's files, links, and whatever cannot be opened or removed are left where they are.

    Parameters
    ----------
    stem : str
        Only drafts whose names begin so: for folders that others write to as well.
    """
    if sys.platform == "win32":
        return 0
    gone = 0
    try:
        with os.scandir(folder) as entries:
            found = [each for each in entries if each.name.endswith(SUFFIX)]
            found = [each for each in found if each.name.startswith(f".{stem}")]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return 0
    for entry in found:
        with suppress(OSError):
            gone += _swept(Path(entry.path), entry.is_dir(follow_symlinks=False))
    return gone


def _swept(path: Path, is_folder: bool) -> bool:
    flags = os.O_RDONLY if is_folder else os.O_RDWR
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(handle).st_uid != os.getuid() or not _lock(handle):
            return False
        # By now it may have been put in its place: then nothing of this name is there, and nothing goes.
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
        return True
    finally:
        os.close(handle)


def _made(place: Path) -> tuple[int, Path]:
    while True:
        stem = f".{place.name[:_STEM]}."
        handle, name = tempfile.mkstemp(prefix=stem, suffix=SUFFIX, dir=place.parent)
        if _ours(handle, Path(name)):
            return handle, Path(name)
        os.close(handle)


def _ours(handle: int, path: Path) -> bool:
    """Whether a draft just made is there and locked by us, or cannot be locked by anybody.

    One that is being swept between its making and its locking is lost, and another is made.
    """
    if _lock(handle) is False:
        return False
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool | None:
    """Whether this lock is ours now; None where there are none."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True
