"""The process that stands between the embedded server and its clients: `python -m graph.watcher`.

It starts the server (or adopts one whose watcher died), drops clients that died without leaving, and
stops the server when nobody has used it for the lease's idle time. It runs in a session of its own, so
that neither ctrl-C nor the end of the client that started it reaches the server. It imports nothing
heavy: it costs 20 MB and a reading of a small file a second.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from filelock import FileLock, Timeout

from graph import drafts
from graph import lease as leases
from graph.errors import MaestroError
from graph.java import DATABASE, USER, Order, command, find_wheel
from graph.lease import Lease, Process

PERIOD = 0.5
"""Seconds between two looks at the lease."""
GRACE = 20.0
"""Seconds that the server is given to stop by itself before it is killed."""
_STEM = "blank"


@dataclass(slots=True)
class Watch:
    """What the watcher knows of its server."""

    data: Path
    server: Process
    child: subprocess.Popen[bytes] | None = None
    stopping: bool = False

    def serving(self) -> bool:
        """Whether the server still runs."""
        if self.child is not None:
            return self.child.poll() is None
        return self.server.alive()

    def end(self) -> None:
        """Stop the server, gently at first."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.server.pid)
            if self.serving():
                process.terminate()
                try:
                    process.wait(GRACE)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(GRACE)
        if self.child is not None:
            self.child.wait()


def start(data: Path, order: dict[str, Any]) -> Watch:
    """Start the server and write its lease. The starting client holds the lock meanwhile."""
    home = data / "server"
    home.mkdir(mode=0o700, exist_ok=True)
    # Only root is ever a user here: without the file the server makes it anew, with this password.
    (home / "config" / "server-users.jsonl").unlink(missing_ok=True)
    password = data / "password"
    password.unlink(missing_ok=True)
    with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(order["secret"])
    wheel = find_wheel()
    full = Order(
        home,
        password,
        order["host"],
        order["bolt"],
        order["http"],
        order["heap"],
        order["statement_seconds"],
    )
    if order["blank"] is not None:
        _begin_with(Path(order["blank"]), home)
    log = data / "server.log"
    if log.exists():
        log.replace(data / "server.log.1")
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        child = subprocess.Popen(
            command(wheel, full),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,
        )
    watch = Watch(data, Process.of(child.pid), child)
    leases.save(
        data,
        Lease(
            watch.server,
            Process.this(),
            order["host"],
            order["bolt"],
            order["http"],
            USER,
            order["secret"],
            order["idle"],
        ),
    )
    return watch


def _begin_with(blank: Path, home: Path) -> None:
    """Put a copy of an empty database where there is none yet.

    It is there whole or not at all, after a power failure too: what the server acknowledges rests on it.
    Where it cannot be copied the server makes its own, or says what is wrong with the disk.
    """
    place = home / "databases" / DATABASE
    drafts.sweep(home, _STEM)
    if place.exists():
        return
    with suppress(OSError), drafts.DraftFolder(home, _STEM) as folder:
        place.parent.mkdir(exist_ok=True)
        draft = folder / DATABASE
        draft.mkdir()
        for file in blank.iterdir():
            # Its bytes alone: where programs are kept, files are often for reading only.
            shutil.copyfile(file, draft / file.name)
            with (draft / file.name).open("rb+") as copied:
                os.fsync(copied.fileno())
        drafts.settle(draft)
        draft.rename(place)
        drafts.settle(place.parent)


def watch_over(watch: Watch, patience: float) -> None:
    """Look after the server until it ends or has been idle long enough.

    `patience` is how long the first client may take to appear in the lease.
    """
    begun = busy = time.monotonic()
    while watch.serving():
        lease = leases.load(watch.data)
        if lease is None or lease.server != watch.server or not lease.used:
            due = time.monotonic() - begun >= patience
        elif lease.live_clients():
            busy, due = time.monotonic(), False
        else:
            # A client may have come and gone between two looks: the lease tells when.
            due = min(time.monotonic() - busy, time.time() - lease.used) >= lease.idle
        if (due or watch.stopping) and _stop_if_unused(watch):
            return
        time.sleep(PERIOD)
    _forget(watch)


def _stop_if_unused(watch: Watch) -> bool:
    """Stop the server, under the lock, so that no client joins one that is about to stop.

    The lock is never waited for: whoever holds it may be waiting for this watcher to be gone.
    """
    if not _ours(watch):
        watch.end()
        return True
    try:
        with FileLock(watch.data / "lease.lock", timeout=0, mode=0o600):
            lease = leases.load(watch.data)
            if lease is not None and _ours(watch):
                if lease.live_clients() and not watch.stopping:
                    leases.save(watch.data, replace(lease, clients=lease.live_clients()))
                    return False
                leases.drop(watch.data)
            watch.end()
            return True
    except Timeout:
        return False


def _ours(watch: Watch) -> bool:
    lease = leases.load(watch.data)
    return lease is not None and lease.server == watch.server


def _forget(watch: Watch) -> None:
    """The server has ended by itself: its lease is no longer true. Whoever holds the lock sees that too."""
    watch.end()
    with suppress(Timeout), FileLock(watch.data / "lease.lock", timeout=0, mode=0o600):
        if _ours(watch):
            leases.drop(watch.data)


def main() -> int:
    """Read the order from standard input, answer with one line, then watch."""
    order = json.load(sys.stdin)
    data = Path(order["data"])
    alone = FileLock(data / "watcher.lock", timeout=order["wait"], mode=0o600)
    try:
        alone.acquire()
    except Timeout:
        return _answer({"state": "watched"})
    try:
        adopted = order["adopt"]
        watch = Watch(data, Process(**adopted)) if adopted is not None else start(data, order)
    except (OSError, MaestroError) as error:
        return _answer({"state": "failed", "message": str(error)})

    def stop(number: int, frame: FrameType | None) -> None:
        watch.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _answer({"state": "watching"})
    watch_over(watch, order["patience"])
    return 0


def _answer(what: dict[str, str]) -> int:
    print(json.dumps(what), flush=True)
    # Nobody reads from here on; the client's end of the pipe may close at any time.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
