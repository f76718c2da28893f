"""Holding the cycle collector back, in several threads and one within another."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from threading import Barrier, Thread

import pytest

from graph import memory
from graph.memory import uncollected

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def collecting(monkeypatch):
    assert gc.isenabled()
    monkeypatch.setattr(memory, "_holding", memory._Holding())  # as in a process that has just begun
    yield
    gc.enable()


def test_it_runs_again_when_the_last_has_ended():
    both, one_left = Barrier(2, timeout=10), Barrier(2, timeout=10)
    seen = []

    def first():
        with uncollected():
            both.wait()
        seen.append(gc.isenabled())
        one_left.wait()

    thread = Thread(target=first)
    thread.start()
    with uncollected():
        both.wait()
        one_left.wait()
        seen.append(gc.isenabled())
    thread.join()
    assert seen == [False, False]
    assert gc.isenabled()


def test_who_had_switched_it_off_finds_it_off():
    gc.disable()
    with uncollected(), uncollected(kept=True):
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_a_failure_lets_it_run_again():
    with pytest.raises(ValueError), uncollected():
        raise ValueError
    assert gc.isenabled()


def test_what_is_kept_counts_as_old():
    gc.collect()
    with uncollected(kept=True):
        kept = [[] for _ in range(50_000)]
    assert gc.get_count()[0] < len(kept)
    young = {id(each) for each in gc.get_objects(generation=0)}
    assert not any(id(each) in young for each in kept)


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


def test_what_counts_as_old_is_still_collected():
    with uncollected(kept=True):
        seen = weakref.ref(Knot())
    assert seen() is not None
    gc.collect()
    assert seen() is None


def test_a_process_that_stays_up_is_rid_of_what_each_piece_of_work_leaves():
    seen = []
    for _ in range(5):
        with uncollected(kept=True):
            seen.append(weakref.ref(Knot()))
        [[] for _ in range(3 * gc.get_threshold()[0])]  # some come from a free list, uncounted
    assert [each() is None for each in seen[1:]] == [True] * 4


def test_what_was_frozen_for_others_stays_so():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with uncollected(kept=True):
            made = [[] for _ in range(10)]
        assert made and gc.get_freeze_count() >= before - 1
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("given", [None, "2"])
def test_what_is_loaded_is_not_collected_and_numpy_starts_no_threads(given):
    """In a process of its own: only what is set before numpy comes counts."""
    code = """
import gc, os
from pathlib import Path
from graph.memory import loading
with loading():
    assert not gc.isenabled()
    import numpy
assert gc.isenabled()
tasks = Path("/proc/self/task")
print(os.environ["OPENBLAS_NUM_THREADS"], len(list(tasks.iterdir())) if tasks.exists() else 1)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    said, threads = done.stdout.split()
    assert said == (given or "1")
    assert int(threads) <= int(said)


ARENAS = """
import re, sys, threading
from graph.memory import modest

if sys.argv[1] == "modest":
    modest()
ready, over = threading.Barrier(5), threading.Event()

def work():
    kept = [bytearray(5_000) for _ in range(50)]
    ready.wait(10)
    over.wait(10)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
ready.wait(10)
# An arena of a thread begins at a multiple of 64 MiB, and that much is reserved for it.
places = [re.match(r"(\\w+)-(\\w+) rw-p", line) for line in open("/proc/self/maps")]
print(sum(int(place[1], 16) % (1 << 26) == 0 for place in places if place))
over.set()
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="glibc's allocator is meant")
def test_threads_of_a_process_that_stays_up_share_an_arena():
    def arenas(how, **environment):
        ran = subprocess.run(
            [sys.executable, "-c", ARENAS, how],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(ran.stdout)

    assert arenas("as ever") > 1
    assert arenas("modest") <= 1  # a mapping of Python's own may stand there by chance
    assert arenas("modest", MALLOC_ARENA_MAX="8") > 1
