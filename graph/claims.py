"""Claims in the database: one writer of a repository, one migration at a time, on any server.

A claim is a node that names its owner and runs out by itself. Every writing transaction of the owner
renews it first; a writer whose claim was taken meanwhile finds no row there and writes nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from graph.bolt import Line, Transaction
from graph.cypher import Filling
from graph.errors import StoreBusyError
from graph.facts import Scope
from graph.lease import Process

SECONDS = 120
"""How long a claim outlives the last sign of its owner (a dead owner on this machine is seen at once)."""

MIGRATION = "migration"


def writer(scope: Scope) -> str:
    """Name of the claim to be a repository's only writer."""
    return f"writer {scope}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that was won. The ticket grows each time, so that an earlier holder is told apart."""

    name: str
    owner: str
    ticket: int

    async def renew(self, transaction: Transaction) -> None:
        """Renew it within a writing transaction; StoreBusyError where it is ours no longer."""
        rows = await transaction.rows(
            "claims/renew",
            Filling(),
            {"name": self.name, "owner": self.owner, "ticket": self.ticket, "lease": SECONDS * 1000},
        )
        if not rows:
            raise StoreBusyError(
                f"Another process has taken over as the {self.name}.",
                "This run wrote nothing that anybody sees; run it again when the other has finished.",
            )

    async def release(self, line: Line) -> None:
        """Give it back, if it is still ours."""
        params = {"name": self.name, "owner": self.owner, "ticket": self.ticket}
        await line.write(lambda tx: tx.rows("claims/release", Filling(), params))


_here: set[str] = set()
"""Tokens of this process's owners whose stores are open."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who claims: a process, on a machine, with one open store."""

    token: str = field(default_factory=lambda: _token(Process.this()))

    def leave(self) -> None:
        """Its store is closed: what it could not release (on a full disk, say) is nobody's from now on."""
        _here.discard(self.token)

    @property
    def shown(self) -> str:
        """For people: which process on which machine."""
        machine, pid, _, _ = json.loads(self.token)
        return f"process {pid} on {machine.partition('#')[0]}"

    def dead(self) -> bool:
        """Whether this is known to be dead; another machine's processes are never known to be."""
        try:
            machine, pid, started, _ = json.loads(self.token)
            process = Process(int(pid), float(started))
            if machine != _machine():
                return False
            return not process.alive() or (process.pid == os.getpid() and self.token not in _here)
        except (ValueError, TypeError):
            return False


def _token(process: Process) -> str:
    token = json.dumps([_machine(), process.pid, process.started, secrets.token_hex(8)])
    _here.add(token)
    return token


def _machine() -> str:
    """This machine; and where processes are numbered apart (a container), which of its worlds."""
    world = ""
    with suppress(OSError):
        world = str(Path("/proc/self/ns/pid").stat().st_ino)
    with suppress(OSError):
        world += Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:8]
    return f"{socket.gethostname()}#{world or os.name}"


async def take(line: Line, name: str, owner: Owner) -> Claim:
    """Take a claim, at once or not at all; StoreBusyError names who has it."""
    dead = ""
    for _ in range(2):
        params = {
            "name": name,
            "owner": owner.token,
            "holder": owner.shown,
            "dead": dead,
            "lease": SECONDS * 1000,
        }
        rows = await line.write_new(lambda tx, given=params: tx.rows("claims/take", Filling(), given))  # type: ignore[misc]
        row = rows[0]
        if row["won"]:
            return Claim(name, owner.token, row["ticket"])
        if not Owner(row["owner"]).dead():
            break
        dead = row["owner"]
    what = "changing the schema of the store" if name == MIGRATION else f"writing {name.partition(' ')[2]}"
    raise StoreBusyError(
        f"Another Maestro is {what}: {row['holder']}.",
        f"Wait for it to finish; if it is gone, its place falls free within {SECONDS} seconds.",
    )
