"""Figures of the arrays: how soon they answer, how long cones take, how much memory readers hold.

Readers run in processes of their own, which `python -m benchmarks.scale_arrays ROLE FILE` starts, so
that what is measured is what a new reader meets. The page cache is warm, as after a file was written.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import timed
from graph.incidence import Incidence
from graph.reach import DEPTH, cone
from graph.schema import NodeKind

SAMPLE = 1_000
"""Symbols that are asked for their cones."""
SHOWN = 20
"""Proofs that a reader rebuilds for each answer, as a person is shown them."""
OPENINGS = 5
READERS = 8
LIMIT = 1 << 30
"""Address space that a reader must get along with, in bytes."""


def sampled(incidence: Incidence, sample: int, seed: int) -> list[int]:
    """Symbols drawn evenly; the same for the same seed."""
    symbols = incidence.nodes_of(NodeKind.SYMBOL)
    places = random.Random(seed).sample(range(len(symbols)), min(sample, len(symbols)))
    found: list[int] = symbols[places].tolist()
    return found


def cone_figures(incidence: Incidence, mark: str, *, sample: int = SAMPLE, seed: int = 1) -> dict[str, float]:
    """p50, p95 and maximum of the cones of sampled symbols, in milliseconds; sizes are printed."""
    chosen = sampled(incidence, sample, seed)
    timed(lambda node: cone(incidence, [node], depth=DEPTH), chosen[:20])
    sizes: list[int] = []
    spans = timed(lambda node: sizes.append(len(cone(incidence, [node], depth=DEPTH).nodes)), chosen)
    middle, high = np.percentile(sizes, (50, 95))
    print(f"cones at {mark} reach {middle:,.0f} nodes (median), {high:,.0f} (p95), {max(sizes):,} (most)")
    return {
        f"p50_ms_{mark}": float(np.percentile(spans, 50)),
        f"p95_ms_{mark}": float(np.percentile(spans, 95)),
        f"max_ms_{mark}": float(spans.max()),
    }


def file_figures(path: Path, mark: str) -> dict[str, float]:
    """What opening costs, what a reader holds in memory, and what eight of them hold together."""
    incidence = Incidence.open(path)
    incidences = len(incidence.member_node)
    time.sleep(1.0)  # what was written this moment is not noted as sound
    first, *openings = [child("open", path)["ms"] for _ in range(OPENINGS + 1)]
    grown = child("grow", path)
    limited = child("limited", path)
    one, graph = _held(path, 1)
    many, graphs = _held(path, READERS)
    print(
        f"resident memory (PSS): one reader {one / 1e6:,.1f} MB, {READERS} readers {many / 1e6:,.1f} MB; "
        f"a reader under a limit of 1 GiB answered, with {limited['peak'] / 1e6:,.0f} MB of address space"
    )
    return {
        f"load_ms_{mark}": float(np.median(openings)),
        f"first_load_ms_{mark}": first,
        "bytes_per_incidence": grown["bytes"] / incidences,
        "file_bytes_per_incidence": path.stat().st_size / incidences,
        f"memory_ratio_{READERS}_alone": many / one,
        f"graph_memory_ratio_{READERS}": graphs / graph,
        f"memory_ratio_{READERS}_forked": _held_forked(path, READERS) / _held_forked(path, 1),
    }


def child(role: str, path: Path) -> dict[str, Any]:
    """What a process that plays a role says when it has ended."""
    done = subprocess.run(_command(role, path), check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _command(role: str, path: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.scale_arrays", role, str(path)]


def _held(path: Path, readers: int) -> tuple[float, float]:
    """Bytes that so many readers hold in memory at once: the sum of their proportional shares.

    Second, the same without what each held before it opened the file: what the graph itself takes.
    """
    started = [
        subprocess.Popen(_command("hold", path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(readers)
    ]
    try:
        before = 0
        for reader in started:
            assert reader.stdout is not None
            before += int(reader.stdout.readline())
        held = float(sum(share_of(reader.pid) for reader in started))
        return held, held - before
    finally:
        for reader in started:
            reader.communicate("")


def _held_forked(path: Path, readers: int) -> float:
    """Bytes that readers hold together with the process that they were forked from, which had loaded the
    code and mapped the file."""
    command = [*_command("fork", path), str(readers)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        pids = [int(parent.stdout.readline()) for _ in range(readers)]
        return float(sum(share_of(pid) for pid in (parent.pid, *pids)))
    finally:
        parent.communicate("")


def share_of(pid: int) -> int:
    """Bytes of memory that a process holds; what it shares is divided among those who share it (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"The kernel does not say what process {pid} holds.")


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def answer_all(incidence: Incidence, chosen: Sequence[int]) -> None:
    """Ask for every cone, and rebuild the proofs that a person would be shown."""
    for node in chosen:
        found = cone(incidence, [node], depth=DEPTH)
        for reached in found.nodes[:SHOWN].tolist():
            found.proof(reached)


def _open(path: Path) -> dict[str, float]:
    # The program itself is loaded before the clock starts: what it costs has nothing to do with the graph.
    from graph import incidence_file  # noqa: F401

    begun = time.perf_counter()
    incidence = Incidence.open(path)
    symbols = incidence.nodes_of(NodeKind.SYMBOL)
    cone(incidence, [int(symbols[len(symbols) // 2])], depth=DEPTH)
    return {"ms": (time.perf_counter() - begun) * 1e3}


def _grow(path: Path) -> dict[str, float]:
    before = _resident()
    incidence = Incidence.open(path, check=False)
    answer_all(incidence, sampled(incidence, SAMPLE, 1))
    return {"bytes": float(_resident() - before)}


def _limited(path: Path) -> dict[str, float]:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    incidence = Incidence.open(path)
    answer_all(incidence, sampled(incidence, SAMPLE, 1))
    status = Path("/proc/self/status").read_text("ascii")
    return {"peak": float(status.partition("VmPeak:")[2].split()[0]) * 1024}


def _hold(path: Path) -> dict[str, float]:
    from graph import incidence_file  # noqa: F401

    before = share_of(os.getpid())
    incidence = Incidence.open(path)
    answer_all(incidence, sampled(incidence, SAMPLE // 5, 1))
    print(before, flush=True)
    sys.stdin.read()
    return {}


def _fork(path: Path) -> dict[str, float]:
    import numpy.ma  # noqa: F401 - comes with the first question otherwise

    incidence = Incidence.open(path)
    answer_all(incidence, sampled(incidence, SHOWN, 2))
    gc.collect()
    gc.freeze()  # so that the collector does not write to pages that are shared
    pids = []
    for _ in range(int(sys.argv[3])):
        pid = os.fork()
        if not pid:
            answer_all(incidence, sampled(incidence, SAMPLE // 5, 1))
            os.write(1, f"{os.getpid()}\n".encode())
            signal.pause()
        pids.append(pid)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    return {}


ROLES: dict[str, Callable[[Path], dict[str, float]]] = {
    "open": _open,
    "grow": _grow,
    "limited": _limited,
    "hold": _hold,
    "fork": _fork,
}


def main() -> None:
    """What the processes that are measured run."""
    role, path = sys.argv[1:3]
    print(json.dumps(ROLES[role](Path(path))), flush=True)


if __name__ == "__main__":
    main()
