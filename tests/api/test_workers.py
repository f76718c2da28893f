"""Several processes that answer at one socket: replaced when they die, gone when they should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from api import workers
from graph.errors import InputError

PATIENCE = 60.0


@pytest.mark.parametrize(
    ("count", "uploads", "said"),
    [(0, False, "0 workers"), (65, False, "65 workers"), (2, True, "one process")],
)
def test_what_cannot_be_had_is_refused(count, uploads, said):
    with pytest.raises(InputError, match=said):
        workers.check(count, uploads)


def test_where_nothing_forks_there_is_one_worker(monkeypatch):
    monkeypatch.delattr(os, "fork")
    workers.check(1, True)
    with pytest.raises(InputError, match="cannot fork"):
        workers.check(2, False)


CREW = """
import os, sys, time
from pathlib import Path
from api import workers

def serve(ready):
    if len(sys.argv) < 3:
        ready()
    Path(sys.argv[1], str(os.getpid())).touch()
    if len(sys.argv) > 2:
        raise ValueError("broken")
    time.sleep(600)

workers.run([serve] * 3)
"""


def crew(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CREW, str(folder), *more], stderr=subprocess.PIPE, text=True
    )


def come(folder: Path, count: int) -> set[int]:
    """The workers that got to work, once there are so many."""
    deadline = time.monotonic() + PATIENCE
    while len(found := {int(file.name) for file in folder.iterdir()}) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def gone(pids: set[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_are_replaced_and_leave_with_the_service(tmp_path, number):
    process = crew(tmp_path)
    first = come(tmp_path, 3)
    os.kill(min(first), signal.SIGKILL)
    pids = come(tmp_path, 4)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    gone(pids)


def test_workers_do_not_outlive_a_service_that_was_killed(tmp_path):
    process = crew(tmp_path)
    pids = come(tmp_path, 3)
    process.kill()
    process.wait(PATIENCE)
    gone(pids)
    process.communicate(timeout=PATIENCE)


def test_workers_that_got_to_work_are_replaced_however_soon_they_die(tmp_path):
    process = crew(tmp_path)
    died: set[int] = set()
    for _ in range(5):
        pids = come(tmp_path, 3 + len(died)) - died
        os.kill(min(pids), signal.SIGKILL)
        died.add(min(pids))
    come(tmp_path, 3 + len(died))
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_service_gives_up_where_workers_cannot_begin(tmp_path):
    process = crew(tmp_path, "broken")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "ValueError: broken" in said
    assert "ended before they got to work" in said
    gone(come(tmp_path, 3))


def test_a_service_answers_with_several_workers(indexed):
    command = [sys.executable, "-m", "api", "serve", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(
        command, env={**os.environ, **indexed.environment}, stderr=subprocess.PIPE, text=True
    )
    try:
        said = process.stderr.readline()
        address = said.split()[3]
        with httpx.Client(timeout=PATIENCE) as client:
            answer = client.post(address, json={"query": "{ repositories { name } }"}).json()
        assert answer["data"]["repositories"]
        assert len(psutil.Process(process.pid).children()) >= 2
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not show what is mapped")
def test_workers_have_the_graph_mapped_before_they_are_asked(indexed):
    command = [sys.executable, "-m", "api", "serve", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(
        command, env={**os.environ, **indexed.environment}, stderr=subprocess.PIPE, text=True
    )
    try:
        process.stderr.readline()
        deadline = time.monotonic() + PATIENCE
        while len(children := psutil.Process(process.pid).children()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for child in children:
            assert "code.arrays" in Path(f"/proc/{child.pid}/maps").read_text()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
