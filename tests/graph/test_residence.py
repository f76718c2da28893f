"""What a Maestro that stays up keeps is given back when nobody asks, and made anew when somebody does."""

from __future__ import annotations

import gc
import time
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import psutil

from graph.facts import Batch, Scope
from graph.ingest.python import reader
from graph.ingest.python.linkage import Linkage
from graph.residence import Residence

SCOPE = Scope("t", "r")
CODE = "def f():\n    return 1\n\n\ndef g():\n    return f()\n"
IDLE = 0.3


class File(NamedTuple):
    path: str
    blob: str
    language: str = "python"


def read(residence: Residence, cache: Path, code: str = CODE, engine: bool = False) -> Batch:
    blob = sha1(code.encode()).hexdigest()
    return reader.read(
        SCOPE,
        [File("a.py", blob)],
        {blob: code.encode()}.__getitem__,
        cache,
        engine=engine,
        resident=residence.python,
    )


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def linkages() -> int:
    return sum(isinstance(each, Linkage) for each in gc.get_objects())


def test_an_engine_that_nobody_asks_ends_and_is_started_again_at_the_next_question(tmp_path: Path) -> None:
    before = children()
    with Residence(IDLE) as residence:
        with residence.lent() as lent:
            assert lent is residence
            said = read(residence, tmp_path, engine=True)
            assert children() - before, "it stayed"
        until(lambda: children() <= before)
        assert residence.python.linkage(SCOPE, tmp_path) is None
        edited = CODE.replace("return 1", "return g()")
        with residence.lent():
            again = read(residence, tmp_path, edited, engine=True)
        assert set(again.edges) != set(said.edges)
        with residence.lent():
            assert set(read(residence, tmp_path, engine=True).edges) == set(said.edges)
    assert children() <= before


def test_what_was_read_is_given_back(tmp_path: Path) -> None:
    with Residence(IDLE) as residence:
        gc.collect()
        before = linkages()
        with residence.lent():
            read(residence, tmp_path)
            residence.keep(SCOPE, "t" * 40, [])
            gc.collect()
            assert linkages() == before + 1
        until(lambda: linkages() == before)
        assert residence.step(SCOPE, []) is None


def test_a_question_that_takes_long_loses_nothing(tmp_path: Path) -> None:
    with Residence(IDLE) as residence:
        with residence.lent():
            read(residence, tmp_path)
        with residence.lent():
            time.sleep(2 * IDLE)
            assert residence.python.linkage(SCOPE, tmp_path) is not None


def test_questions_come_one_at_a_time_and_each_begins_the_wait_again(tmp_path: Path) -> None:
    with Residence(IDLE) as residence:
        with residence.lent() as first, residence.lent() as second:
            assert first is residence and second is None
            read(residence, tmp_path)
            last = time.monotonic()
        end = last + 3 * IDLE
        while last < end:
            with residence.lent():
                soon = time.monotonic() - last < IDLE
                assert not soon or residence.python.linkage(SCOPE, tmp_path) is not None
                last = time.monotonic()
            time.sleep(0.01)


def test_without_an_idle_time_everything_stays(tmp_path: Path) -> None:
    with Residence() as residence:
        with residence.lent():
            read(residence, tmp_path)
        time.sleep(IDLE)
        assert residence.python.linkage(SCOPE, tmp_path) is not None
    assert residence.python.linkage(SCOPE, tmp_path) is None
