"""The lease file of the embedded server: who serves, who watches, who uses it, and the way in.

Kept in the data directory with mode 0600, written whole and renamed into place, and changed only
under `lock`. A process is named by its id and start time, so that a reused id is not mistaken.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from graph import drafts
from graph.errors import DiskError, StoreBusyError

VERSION = 1
_CLOCK = 2.0
"""Seconds by which two readings of one process's start may differ (the clock is adjusted)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that may since have ended: its id and start time (seconds since 1970)."""

    pid: int
    started: float

    @classmethod
    def this(cls) -> Process:
        """The calling process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """A running process; psutil.NoSuchProcess where there is none."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return bool(abs(process.create_time() - self.started) < _CLOCK)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@dataclass(frozen=True, slots=True)
class Client:
    """A user of the server; `token` tells apart the stores that one process has open."""

    process: Process
    token: str


@dataclass(frozen=True, slots=True)
class Lease:
    """What the lease file says."""

    server: Process
    watcher: Process
    host: str
    bolt: int
    http: int
    user: str
    secret: str = field(repr=False)
    idle: float
    """Seconds that the server stays without a client."""
    used: float = 0.0
    """When a client last came or went, in seconds since 1970; 0 before the first."""
    clients: tuple[Client, ...] = ()

    def live_clients(self) -> tuple[Client, ...]:
        """The clients that have neither left nor died."""
        return tuple(client for client in self.clients if client.process.alive())


def directory(path: Path) -> Path:
    """Make the data directory, for its owner only; DiskError where that cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        drafts.sweep(path)
        probe = drafts.DraftFolder(path, "probe")
        try:
            (probe.path / "probe").write_bytes(b"maestro")
        finally:
            probe.close()
    except OSError as error:
        raise disk_error(path, error) from error
    return path


def disk_error(path: Path, error: OSError) -> DiskError:
    """What an OSError of writing means to a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(f"The disk that holds {path} is full.", "Make room, then run the command again.")
    return DiskError(
        f"Nothing can be written in the data directory {path}: {error.strerror or error}.",
        "Choose another with MAESTRO_DATA, or make this one writable.",
    )


def lock(path: Path, seconds: float) -> FileLock:
    """The acquired lock of a data directory; use it in `with`. StoreBusyError after `seconds`."""
    held = FileLock(path / "lease.lock", timeout=seconds, mode=0o600)
    try:
        held.acquire()
    except Timeout as error:
        raise StoreBusyError(
            f"Another process has been starting or stopping the server in {path} for {seconds:.0f} s.",
            "Wait for it; if none is running, look at server.log there.",
        ) from error
    except OSError as error:
        raise disk_error(path, error) from error
    return held


def load(path: Path) -> Lease | None:
    """The lease of a data directory; None where there is none, or it is damaged or of another version."""
    try:
        raw = json.loads((path / "lease.json").read_text("utf-8"))
        if raw.pop("version") != VERSION:
            return None
        clients = tuple(Client(Process(**c["process"]), c["token"]) for c in raw.pop("clients"))
        return Lease(Process(**raw.pop("server")), Process(**raw.pop("watcher")), clients=clients, **raw)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    except OSError as error:
        raise disk_error(path, error) from error


def save(path: Path, lease: Lease) -> None:
    """Write the lease, readable by its owner alone, atomically."""
    text = json.dumps({"version": VERSION, **asdict(lease)})
    try:
        with drafts.draft(path / "lease.json") as out:
            out.write(text.encode())
    except OSError as error:
        raise disk_error(path, error) from error


def drop(path: Path) -> None:
    """Remove the lease: nothing serves this directory any more."""
    (path / "lease.json").unlink(missing_ok=True)
