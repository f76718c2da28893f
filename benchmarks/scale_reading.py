"""Reads while a full re-index runs, beside reads while nothing does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.scale_arrays import sampled
from graph.facts import Scope
from graph.incidence import Incidence
from graph.indexing import index
from graph.reach import DEPTH, cone
from graph.store import Store
from graph.workspace import Workspace

IDLE_SECONDS = 15.0
SAMPLE = 500


class Reader:
    """A process that asks for cones, one after another, until it is told to stop."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.scale_reading", str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> list[float]:
        """Milliseconds of every answer."""
        said, _ = self._process.communicate("")
        found: list[float] = json.loads(said.splitlines()[-1])
        return found


async def reading_figures(store: Store, clone: Path, arrays: Path, folder: Path) -> dict[str, float]:
    """p99 of the cones that a reader asks for while a clone is indexed from nothing, and before and after."""
    idle = _idle(arrays)
    reader = Reader(arrays)
    begun = time.perf_counter()
    await index(store, Workspace(folder), Scope("scale", "reindexed"), clone, full=True)
    spent = time.perf_counter() - begun
    busy = reader.stop()
    idle += _idle(arrays)
    p99, beside = float(np.percentile(busy, 99)), float(np.percentile(idle, 99))
    print(
        f"reads: p99 {p99:.1f} ms of {len(busy):,} while a full index of {spent:.0f} s ran, "
        f"{beside:.1f} ms of {len(idle):,} idle"
    )
    return {"reindex_p99_ms": p99, "idle_p99_ms": beside, "reindex_p99_ratio": p99 / beside}


def _idle(arrays: Path) -> list[float]:
    reader = Reader(arrays)
    time.sleep(IDLE_SECONDS)
    return reader.stop()


def _await_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    """What the reader runs."""
    incidence = Incidence.open(Path(sys.argv[1]))
    chosen = sampled(incidence, SAMPLE, 1)
    cone(incidence, chosen[:1], depth=DEPTH)
    over = threading.Event()
    threading.Thread(target=_await_end, args=(over,), daemon=True).start()
    print("ready", flush=True)
    spans = []
    while not over.is_set():
        for node in chosen:
            begun = time.perf_counter()
            cone(incidence, [node], depth=DEPTH)
            spans.append((time.perf_counter() - begun) * 1e3)
            time.sleep(0.002)  # a reader that never rests would itself be what the other waits for
            if over.is_set():
                break
    print(json.dumps([round(span, 3) for span in spans]), flush=True)


if __name__ == "__main__":
    main()
