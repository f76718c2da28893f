"""The embedded server's life: found by its lease, started where none runs, left when one is done.

    join(settings) -> Seat      a running server, started or joined or adopted
    leave(settings, seat)       the last one out starts the idle time
    stop(settings)              stop it now

The server is the child of a watcher process (see `graph.watcher`), never of a client. All changes of
the lease are made under its file lock.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from graph import lease as leases
from graph.errors import DiskError, StoreBusyError, StoreUnavailableError
from graph.java import Wheel, find_wheel
from graph.lease import Client, Lease, Process
from graph.settings import StoreSettings

_ROOT = Path(__file__).resolve().parent.parent
_TRIES = 3
"""Starts with other ports, where a free one was taken before the server could."""
_LOG_LINES = 12
_LOG_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Seat:
    """A client's place at a running server: the address, the way in, and the token to leave with."""

    uri: str
    user: str
    secret: str = field(repr=False)
    token: str
    server: Process
    log: Path


def join(settings: StoreSettings, blank: Callable[[Wheel], Path | None] = lambda wheel: None) -> Seat:
    """Join the server of a data directory, starting or adopting it where need be.

    Parameters
    ----------
    blank : callable
        Finds the database that a new data directory begins with (see `graph.blank`).

    Raises
    ------
    StoreUnavailableError
        It cannot be installed here, does not start, or does not answer; its last words are in the message.
    StoreBusyError
        The wanted port is taken, or another server holds the data.
    DiskError, PolicyError
        Nothing can be written, or others could reach the server.
    """
    settings.check()
    data = leases.directory(settings.data_dir)
    with leases.lock(data, settings.start_seconds):
        lease = leases.load(data)
        if lease is None or not lease.server.alive():
            leases.drop(data)
            lease = _start(settings, blank)
        elif not lease.watcher.alive():
            lease = _adopt(settings, lease)
        _await_ready(settings, lease)
        client = Client(Process.this(), secrets.token_hex(8))
        clients = (*lease.live_clients(), client)
        leases.save(data, replace(lease, idle=settings.idle_seconds, used=time.time(), clients=clients))
    host = f"[{lease.host}]" if ":" in lease.host else lease.host
    return Seat(
        f"bolt://{host}:{lease.bolt}",
        lease.user,
        lease.secret,
        client.token,
        lease.server,
        data / "server.log",
    )


def leave(settings: StoreSettings, seat: Seat) -> None:
    """Give the place back. A dead watcher is replaced, so that the server never stays for ever."""
    data = settings.data_dir
    with leases.lock(data, settings.start_seconds):
        lease = leases.load(data)
        if lease is None or lease.server != seat.server:
            return
        if lease.server.alive() and not lease.watcher.alive():
            lease = _adopt(settings, lease)
        clients = tuple(client for client in lease.live_clients() if client.token != seat.token)
        # Where the disk is full the place stays noted: it falls free when this process ends, and what was
        # answered before is no less right.
        with suppress(DiskError):
            leases.save(data, replace(lease, used=time.time(), clients=clients))


def stop(settings: StoreSettings) -> bool:
    """Stop the server of a data directory now, whoever uses it; False where none ran."""
    data = settings.data_dir
    if not data.is_dir():
        return False
    with leases.lock(data, settings.start_seconds):
        lease = leases.load(data)
        if lease is None:
            return False
        leases.drop(data)
    ended = [process for process in (lease.watcher, lease.server) if process.alive()]
    for process in ended:
        # The watcher stops its server when it is told to; a server without one is told itself.
        with suppress(psutil.NoSuchProcess):
            if process is lease.watcher or not lease.watcher.alive():
                psutil.Process(process.pid).terminate()
    deadline = time.monotonic() + settings.start_seconds
    while any(process.alive() for process in ended):
        if time.monotonic() > deadline:
            raise StoreUnavailableError(
                f"The embedded server in {data} does not stop.", f"End process {lease.server.pid}."
            )
        time.sleep(0.05)
    return bool(ended)


def log_tail(log: Path, lines: int = _LOG_LINES) -> str:
    """The last lines of the server's log that say something: stack frames are left out."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    said = [line for line in text.splitlines() if line.strip() and not line.startswith(("\tat ", "\t..."))]
    return "\n".join(said[-lines:])


def _start(settings: StoreSettings, blank: Callable[[Wheel], Path | None]) -> Lease:
    data = settings.data_dir
    found = blank(find_wheel())
    free = shutil.disk_usage(data).free
    if free < settings.free_bytes:
        raise DiskError(
            f"The disk that holds {data} has {free >> 20} MiB left of {settings.free_bytes >> 20} needed.",
            "Make room, or choose another place with MAESTRO_DATA.",
        )
    for left in reversed(range(_TRIES)):
        bolt = settings.port or _free_port(settings.host)
        if settings.port:
            _refuse_taken(settings.host, settings.port)
        particulars = {"bolt": bolt, "http": _free_port(settings.host), "adopt": None}
        _order(settings, particulars | {"blank": str(found) if found else None})
        lease = leases.load(data)
        if lease is None:
            raise _dead(settings, "was not started")
        try:
            _await_ready(settings, lease)
        except StoreBusyError:
            # Somebody took the free port in between.
            if settings.port or not left:
                raise
            continue
        finally:
            (data / "password").unlink(missing_ok=True)
        return lease
    raise AssertionError("unreachable")


def _adopt(settings: StoreSettings, lease: Lease) -> Lease:
    """Give a server whose watcher has died a new one."""
    watcher = _order(settings, {"bolt": lease.bolt, "http": lease.http, "adopt": asdict(lease.server)})
    adopted = replace(lease, watcher=watcher)
    leases.save(settings.data_dir, adopted)
    return adopted


def _order(settings: StoreSettings, particulars: dict[str, Any]) -> Process:
    """Start a watcher in a session of its own and wait until it watches."""
    order = {
        "data": str(settings.data_dir.resolve()),
        "host": settings.host,
        "heap": settings.heap,
        "statement_seconds": settings.statement_seconds,
        "secret": secrets.token_urlsafe(32),
        "idle": settings.idle_seconds,
        "patience": settings.start_seconds,
        "wait": 5.0,
    } | particulars
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    watcher = subprocess.Popen(
        [sys.executable, "-P", "-m", "graph.watcher"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_watcher_log(settings.data_dir),
        cwd=settings.data_dir,
        env=environment,
        start_new_session=True,
    )
    assert watcher.stdin is not None and watcher.stdout is not None
    with suppress(BrokenPipeError):
        watcher.stdin.write(json.dumps(order).encode())
        watcher.stdin.close()
    answer = watcher.stdout.readline()
    watcher.stdout.close()
    said = json.loads(answer) if answer else {"state": "failed", "message": "its watcher ended at once"}
    if said["state"] == "watched":
        watcher.wait()
        raise _taken(settings)
    if said["state"] != "watching":
        watcher.wait()
        raise _dead(settings, f"was not started: {said['message']}")
    process = Process.of(watcher.pid)
    # It is meant to outlive us: nobody waits for it, and no warning is due about that.
    watcher.returncode = 0
    return process


def _watcher_log(data: Path) -> int:
    return os.open(data / "watcher.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StoreBusyError(
                f"Port {port} on {host} is taken: {error.strerror}.",
                "End what listens there, or let Maestro choose a free port.",
            ) from error


def _await_ready(settings: StoreSettings, lease: Lease) -> None:
    """Wait until the server says that it is ready: its `/api/v1/ready` answers 204."""
    deadline = time.monotonic() + settings.start_seconds
    while not _ready(lease):
        if not lease.server.alive():
            raise _ended(settings)
        if time.monotonic() > deadline:
            raise _dead(settings, f"did not answer within {settings.start_seconds:.0f} s")
        time.sleep(0.05)


def _ready(lease: Lease) -> bool:
    connection = http.client.HTTPConnection(lease.host, lease.http, timeout=2.0)
    try:
        connection.request("GET", "/api/v1/ready")
        return connection.getresponse().status == http.client.NO_CONTENT
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ended(settings: StoreSettings) -> StoreUnavailableError | StoreBusyError | DiskError:
    """Why a server that was starting has ended, by what its log says."""
    said = log_tail(settings.data_dir / "server.log", 400)
    if "LockException" in said or "is already in use" in said:
        return _taken(settings)
    if "BindException" in said or "Address already in use" in said:
        return StoreBusyError("The port of the embedded server was taken while it started.", "Run it again.")
    if "No space left on device" in said:
        return DiskError(f"The disk that holds {settings.data_dir} is full.", "Make room, then run it again.")
    return _dead(settings, "ended while it started")


def _taken(settings: StoreSettings) -> StoreBusyError:
    return StoreBusyError(
        f"Another server holds the data in {settings.data_dir}, and no lease says how to join it.",
        "Wait a moment if it is just stopping; otherwise end it, or choose another place with MAESTRO_DATA.",
    )


def _dead(settings: StoreSettings, what: str) -> StoreUnavailableError:
    log = settings.data_dir / "server.log"
    tail = log_tail(log)
    said = f" Its last words:\n{tail}\n" if tail else ""
    return StoreUnavailableError(
        f"The embedded server {what}.{said}",
        f"Look at {log} and watcher.log beside it; more memory is given with MAESTRO_HEAP.",
    )
