"""What `maestro serve --workers 8` holds in memory, beside `maestro serve`, while both answer.

All processes of the service are counted, the one that looks after the workers too; the database is not, nor
is the page cache of files that nobody maps. Memory that processes share is divided among them
(the kernel's PSS), so that the sum is what the machine has to have.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.scale_arrays import READERS, sampled, share_of
from graph.facts import Scope
from graph.incidence import Incidence
from graph.store import Store
from graph.workspace import Workspace

ASKED = 25
"""Questions for each worker, each about another symbol."""
ROUNDS = 10
"""So often they are all asked, until every worker was."""
ANSWERING = 0.3
"""Seconds of processor time by which a worker shows that it has answered: some ten questions."""
PATIENCE = 120
_QUESTION = (
    "query($symbol: String, $repository: String) { impact(symbol: $symbol, repository: $repository) "
    "{ reached { node { name path } distance proof { edge } } } }"
)


def service_figures(store: Store, arrays: Incidence, scope: Scope, folder: Path) -> dict[str, float]:
    """Bytes that a service with eight workers holds beside one with a single process."""
    environment = _environment(store, scope, folder)
    # The first opening after a write reads the whole file, which would count for whoever comes first alone.
    Incidence.open(Workspace(folder).arrays(scope, "code"))
    asked = [arrays.keys[node] for node in sampled(arrays, ASKED * READERS, 3)]
    held = {count: _held(environment, scope, count, asked) for count in (1, READERS)}
    print(
        f"resident memory (PSS): a service of one process {held[1] / 1e6:,.1f} MB, "
        f"of {READERS} workers {held[READERS] / 1e6:,.1f} MB"
    )
    return {f"memory_ratio_{READERS}": held[READERS] / held[1]}


def _environment(store: Store, scope: Scope, folder: Path) -> dict[str, str]:
    address = store._line.address
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")},
        "MAESTRO_DATA": str(folder),
        "MAESTRO_DEADLINE": str(PATIENCE),
        "MAESTRO_TENANT": scope.tenant,
        "MAESTRO_NEO4J_URI": address.uri,
        "MAESTRO_NEO4J_USER": address.user,
        "MAESTRO_NEO4J_PASSWORD": address.password,
        "MAESTRO_NEO4J_DATABASE": address.database or "",
    }


def _held(environment: dict[str, str], scope: Scope, count: int, asked: list[str]) -> float:
    """What a service holds in bytes once every worker has answered."""
    with _serving(environment, count) as (process, port):
        chance = random.Random(count)
        before = {each.pid: _worked(each) for each in (process, *process.children(recursive=True))}
        with ThreadPoolExecutor(2 * count) as clients:
            for _ in range(ROUNDS):
                chosen = chance.sample(asked, len(asked))[: ASKED * count]
                list(clients.map(lambda symbol: _ask(port, symbol, scope.repository), chosen))
                everyone = [process, *process.children(recursive=True)]
                answered = sum(_worked(each) - before.get(each.pid, 0.0) > ANSWERING for each in everyone)
                if answered >= count:  # the kernel gives a question to whichever worker comes first
                    return float(sum(share_of(each.pid) for each in everyone))
    raise SystemExit(f"Of {count} workers only {answered} were asked anything.")


@contextmanager
def _serving(environment: dict[str, str], count: int) -> Iterator[tuple[psutil.Process, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "api", "serve", "--port", str(port), "--workers", str(count)]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=environment, stderr=said)
        try:
            deadline = time.monotonic() + PATIENCE
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    raise SystemExit(f"The service did not start: {said.read()}")
                time.sleep(0.1)
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _listens(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _ask(port: int, symbol: str, repository: str) -> None:
    body = json.dumps({"query": _QUESTION, "variables": {"symbol": symbol, "repository": repository}})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", body.encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found = json.load(answer)
    if "errors" in found:
        raise SystemExit(f"The service did not answer about {symbol}: {found['errors']}")


def _worked(process: psutil.Process) -> float:
    """Seconds of processor time that a process took so far."""
    spent = process.cpu_times()
    return float(spent.user + spent.system)
