"""A front and its readers: the same answers as one process gives, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2 as httpx
import psutil
import pytest
from applications import create
from starlette.testclient import TestClient

from api.crew import Crew
from graph.errors import DeadlineError

PATIENCE = 60.0
IMPACT = """query($symbol: String, $range: String) { impact(symbol: $symbol, range: $range) {
  head { run commit } changed { node { name owners } reasons } edges { tier count } notes
  reached { node { key name path line owners } distance tier proof { edge tier form line target { name } } }
  tests { node { name kind } proof { edge } } } }"""
QUESTIONS = [
    (IMPACT, {"symbol": "tax"}),
    (IMPACT, {"range": "first..second"}),
    (IMPACT, {"symbol": "nowhere"}),
    ('{ path(from: "Cart.sum", to: "tax") { direction paths { steps { edge source { name } } } } }', {}),
    ('{ search(query: "t", limit: 2) { more nodes { name owners } } }', {}),
    ('{ node(name: "tax") { head { commit } nodes { key kind sort path line } } }', {}),
    (
        '{ testSelection(range: "first..second", static: true) { selected { test reasons } skipped notes } }',
        {},
    ),
    (
        '{ reviewers(range: "first..second") { reviewers { person { name } } obligations { owners rule } } }',
        {},
    ),
    ('{ reviewers(range: "first..second", count: 0) { more } }', {}),
    ("{ repositories { name nodes edges head { run commit } } }", {}),
    ("{ nothing }", {}),
]


@contextmanager
def served(environment: dict[str, str], count: int) -> Iterator[tuple[psutil.Process, str]]:
    command = [sys.executable, "-m", "api", "serve", "--port", "0", "--workers", str(count)]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stderr.readline()
        assert said.startswith("Maestro answers at"), said
        yield psutil.Process(process.pid), said.split()[3]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def ask(address: str, query: str, variables: dict[str, str] | None = None) -> dict[str, object]:
    body = {"query": query, "variables": variables or {}}
    return httpx.post(address, json=body, timeout=PATIENCE).json()


def reading(service: psutil.Process) -> list[psutil.Process]:
    """The readers, once the service answers: all its processes but the first, which is the front."""
    return sorted(service.children(), key=lambda each: (each.create_time(), each.pid))[1:]


def test_several_processes_answer_as_one(indexed):
    with TestClient(create(indexed.settings), base_url="http://localhost") as web:
        alone = [
            web.post("/graphql", json={"query": query, "variables": variables}).json()
            for query, variables in QUESTIONS
        ]
    with served(indexed.environment, 2) as (_, address):
        together = [ask(address, query, variables) for query, variables in QUESTIONS]
        health = httpx.get(address.replace("/graphql", "/health"), timeout=PATIENCE).json()
    assert "shop" in health["repositories"]
    for (query, _), one, several in zip(QUESTIONS, alone, together, strict=True):
        assert json.dumps(several, sort_keys=True) == json.dumps(one, sort_keys=True), query


def test_a_question_outlives_the_readers_that_die(indexed):
    with served(indexed.environment, 2) as (service, address):
        expected = ask(address, *QUESTIONS[0])
        stop = time.monotonic() + 4
        killed: set[int] = set()

        def kill() -> None:
            while time.monotonic() < stop:
                for reader in reading(service)[:1]:
                    reader.kill()
                    killed.add(reader.pid)
                time.sleep(1.3)

        killing = threading.Thread(target=kill)
        killing.start()
        asked = 0
        while time.monotonic() < stop:
            assert ask(address, *QUESTIONS[0]) == expected
            asked += 1
        killing.join()
        assert len(killed) >= 2
        assert asked > 3


def test_a_reader_that_stands_still_gets_no_questions(indexed):
    with served(indexed.environment, 2) as (service, address):
        expected = ask(address, *QUESTIONS[0])
        still = reading(service)[0]
        still.suspend()
        try:
            body = {"query": QUESTIONS[0][0], "variables": QUESTIONS[0][1]}
            late = []
            for _ in range(6):
                try:
                    assert httpx.post(address, json=body, timeout=3).json() == expected
                except httpx.TimeoutException:
                    late.append(1)
            assert len(late) <= 1  # the one that it was given before it was known to be slow
        finally:
            still.resume()


def test_another_front_takes_the_place_of_one_that_died(indexed):
    with served(indexed.environment, 2) as (service, address):
        expected = ask(address, *QUESTIONS[0])
        readers = {each.pid for each in reading(service)}
        front = next(each for each in service.children() if each.pid not in readers)
        front.kill()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                assert ask(address, *QUESTIONS[0]) == expected
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert readers <= {each.pid for each in service.children()}


def test_what_keeps_it_from_beginning_is_said_in_words(indexed):
    environment = {**os.environ, **indexed.environment}
    environment |= {"MAESTRO_NEO4J_URI": "bolt://127.0.0.1:1", "MAESTRO_NEO4J_PASSWORD": "secret"}
    command = [sys.executable, "-m", "api", "serve", "--port", "0", "--workers"]
    for count in "12":
        done = subprocess.run(
            [*command, count], env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 21, done.stderr
        assert "Error: No server answers at bolt://127.0.0.1:1" in done.stderr
        assert "Start it, or check MAESTRO_NEO4J_URI" in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stderr


def test_everybody_leaves_when_told(indexed):
    with served(indexed.environment, 3) as (service, address):
        ask(address, *QUESTIONS[1])
        processes = [service, *service.children(recursive=True)]
        service.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(processes, PATIENCE)
        assert not alive


CREW = """
import asyncio, math, os, sys, threading, time
from dataclasses import dataclass
from api import readers, workers
from api.crew import Crew
from api.jobs import Job
from api.settings import read_settings
import signal, socket

settings = read_settings({name: value for name, value in os.environ.items() if name.startswith("MAESTRO_")})
inward, outward = socket.socketpair(type=socket.SOCK_DGRAM)

@dataclass(frozen=True)
class Quick(Job):
    number: int
    async def run(self, service, deadline):
        return self.number, os.getpid()

@dataclass(frozen=True)
class End(Job):
    async def run(self, service, deadline):
        os._exit(9)

@dataclass(frozen=True)
class Odd(Job):
    async def run(self, service, deadline):
        return lambda: None

@dataclass(frozen=True)
class Broken(Job):
    async def run(self, service, deadline):
        raise ZeroDivisionError("inside")

@dataclass(frozen=True)
class Slow(Job):
    seconds: float
    repository: str = ""
    async def run(self, service, deadline):
        await service.offload(lambda: time.sleep(self.seconds))
        return os.getpid()
    @property
    def place(self):
        return self.repository or None

async def told(crew, job, deadline=math.inf):
    try:
        return await crew.answer(job, deadline)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

async def main():
    async with Crew.open(settings, inward) as crew:
        SCRIPT

def front(ready):
    asyncio.run(main())
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)

workers.run([front, *[lambda ready: readers.work(settings, outward, {}, ready)] * 2])
"""


def crew(indexed, script: str) -> str:
    """What a script printed that had a crew of two readers in its front."""
    code = CREW.replace("SCRIPT", script.strip().replace("\n", "\n        "))
    environment = {**os.environ, **indexed.environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_readers_work_and_answers_find_who_asked(indexed):
    said = crew(
        indexed,
        """
answers = await asyncio.gather(*[told(crew, Quick(number)) for number in range(20)])
assert [number for number, _ in answers] == list(range(20))
print(len({pid for _, pid in answers}))
""",
    )
    assert said == "2\n"


def test_a_job_that_ends_its_reader_is_given_up(indexed):
    said = crew(indexed, "print(await told(crew, End()))\nprint((await told(crew, Quick(5)))[0])")
    first, second = said.splitlines()
    assert first.startswith("MaestroError: 2 processes ended while they worked on this.")
    assert second == "5"


@pytest.mark.parametrize(("job", "named"), [("Broken", "ZeroDivisionError"), ("Odd", "failed unexpectedly")])
def test_what_fails_in_a_reader_is_told_without_its_words(indexed, job, named):
    said = crew(indexed, f"print(await told(crew, {job}()))\nprint((await told(crew, Quick(1)))[0])")
    first, second = said.splitlines()
    assert named in first
    assert "inside" not in first
    assert second == "1"


def test_a_question_of_the_arrays_goes_by_readers_that_read_trees(indexed):
    said = crew(
        indexed,
        """
slow = asyncio.ensure_future(told(crew, Slow(20, "shop")))
await asyncio.sleep(0.5)
begun = time.monotonic()
pids = {(await told(crew, Quick(number)))[1] for number in range(8)}
print(len(pids), time.monotonic() - begun < 10)
slow.cancel()
""",
    )
    assert said == "1 True\n"


def test_changes_of_a_repository_go_to_who_read_it_last(indexed):
    said = crew(
        indexed,
        """
first = [await told(crew, Slow(0, "a")), await told(crew, Slow(0, "b"))]
again = [[await told(crew, Slow(0, "a")), await told(crew, Slow(0, "b"))] for _ in range(3)]
print(first[0] != first[1], all(pids == first for pids in again))
""",
    )
    assert said == "True True\n"


def test_a_reader_that_is_gone_before_its_turn_is_waited_for_no_longer(indexed):
    async def run() -> None:
        team = Crew(indexed.settings, None)
        asked = asyncio.ensure_future(team._choose(None, time.monotonic() + 0.3))
        await asyncio.sleep(0)
        team._readers.append(None)
        team._come.set()
        team._readers.clear()
        team._come.clear()
        with pytest.raises(DeadlineError):
            await asked

    asyncio.run(run())


def test_without_readers_a_question_ends_at_its_deadline(indexed):
    code = CREW.replace("SCRIPT", "print(await told(crew, Quick(1), time.monotonic() + 0.3))")
    code = code.replace("] * 2])", "] * 0])")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **indexed.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "DeadlineError: No process was there in time" in done.stdout, done.stderr
