"""Processes that a recorded run starts: they record themselves, and what they tell is entered here."""

from __future__ import annotations

import json
import multiprocessing.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maestro_selection.recording import Note, Process, Trace
from pytest_maestro import child
from pytest_maestro.activity import Activity, Ledger
from pytest_maestro.places import Place

PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?$")
STARTUP = str(Path(__file__).parent / "startup")
HOOK = "pytest_maestro.pth"


class Started:
    """Told of every process that is about to start; Python ones are expected to tell what they did."""

    def __init__(self, place: Place, ledger: Ledger) -> None:
        self.place = place
        self.ledger = ledger
        self.expected: list[list[Any]] = []
        self.where: list[Activity] = []

    def __call__(self, program: str, command: Any, environment: Any) -> None:
        """A program is about to be started with this command, in this environment (None: ours)."""
        since = repr(self.ledger.watch_time())
        os.environ[child.SINCE] = since
        if not is_python(program, command):
            self.ledger.current.begin_process(Process(program, followed=False))
            self._open_named(command)
            return
        given = since if environment is None else _variable(environment, child.SINCE)
        self.expected.append([program, given])
        self.where.append(self.ledger.current)

    def _open_named(self, command: Any) -> None:
        """Files of the repository that a command names are told as opened: what reads them is not seen."""
        for word in command[1:] if isinstance(command, (list, tuple)) else ():
            try:
                name = os.fsdecode(word)
            except TypeError:  # it is no word, and the process will not start
                continue
            inner = self.place.relative(name) if name and not name.startswith("-") else ""
            if inner and os.path.isfile(name):
                self.ledger.current.open(inner)


def is_python(program: str, command: Any) -> bool:
    """Whether a program is Python, or a script that starts with Python's name."""
    if PYTHON.match(program):
        return True
    first = command if isinstance(command, (str, bytes)) else next(iter(command or ()), "")
    try:
        place = shutil.which(os.fsdecode(first))
        if place is None:
            return False
        with open(place, "rb") as file:
            return b"python" in file.read(200).split(b"\n", 1)[0] and place != ""
    except (OSError, TypeError, ValueError):  # it cannot be read or named: no script that we could follow
        return False


def _variable(environment: Any, name: str) -> str:
    if not isinstance(environment, Mapping):
        return ""
    found = environment.get(name, environment.get(name.encode(), ""))
    return found.decode() if isinstance(found, bytes) else str(found)


class Processes:
    """The processes of one recorded run.

    Parameters
    ----------
    place : Place
        The repository.
    ledger : Ledger
        Of the run.
    """

    def __init__(self, place: Place, ledger: Ledger) -> None:
        self.place = place
        self.ledger = ledger
        self.started = Started(place, ledger)
        self.folder = ""
        self._before: dict[str, str | None] = {}

    def start(self, drain: Any) -> None:
        """Have every Python process that starts from now on record itself."""
        self.folder = tempfile.mkdtemp(prefix="maestro-recording-")
        told = {
            "root": self.place.root,
            "apart": [os.path.relpath(each, self.place.root) for each in self.place.apart],
        }
        Path(self.folder, "place.json").write_text(json.dumps(told), encoding="ascii")
        self._set(child.FOLDER, self.folder)
        self._set(child.SINCE, repr(self.ledger.watch_time()))
        self.ledger.timeline.clear()
        if not _hook_installed():
            others = os.environ.get("PYTHONPATH")
            self._set("PYTHONPATH", STARTUP + (os.pathsep + others if others else ""))
        child.watch_forks(self.ledger, self.folder, drain, self.started)
        spawning: Any = multiprocessing.util
        self._spawn = spawning.spawnv_passfds
        spawning.spawnv_passfds = self._spawned

    def _spawned(self, path: Any, command: Any, passed: Any) -> Any:
        """In place of what multiprocessing starts its processes with, which no audit event tells of."""
        serves = any("resource_tracker" in os.fsdecode(word) for word in command)
        forks = any("forkserver" in os.fsdecode(word) for word in command)
        if serves:
            with _variable_set(child.FOLDER, ""):
                return self._spawn(path, command, passed)
        if forks:
            os.environ[child.SINCE] = repr(self.ledger.watch_time())
            with _variable_set(child.QUIET, "1"):
                return self._spawn(path, command, passed)
        self.started("python", command, None)
        return self._spawn(path, command, passed)

    def _set(self, name: str, value: str) -> None:
        self._before[name] = os.environ.get(name)
        os.environ[name] = value

    def stop(self) -> list[Note]:
        """Enter what was told where it belongs; what was not told is said."""
        child.watch_forks(None, "", lambda: None, None)
        multiprocessing.util.spawnv_passfds = self._spawn
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        begun = {place.stem: _content(place) for place in Path(self.folder).glob("*.begun")}
        ended = {place.stem: _content(place) for place in Path(self.folder).glob("*.ended")}
        shutil.rmtree(self.folder, ignore_errors=True)
        told = {content["since"] for content in ended.values()}
        lost = {content["since"] for stem, content in begun.items() if stem not in ended}
        for content in ended.values():
            trace = _trace(content)
            for path, readers in content["readers"].items():
                self.ledger.readers.setdefault(path, set()).update((file, line) for file, line in readers)
            processes = {
                Process(program, since in told and since not in lost)
                for program, since in content["expected"]
            }
            for activity in self.ledger.during(float(content["since"]), content["until"]):
                activity.take(trace)
                activity.processes |= processes
        for activity, (program, since) in zip(self.started.where, self.started.expected):
            activity.begin_process(Process(program, since in told and since not in lost))
        return self._missed(lost)

    def _missed(self, lost: set[str]) -> list[Note]:
        expected = {since for _, since in self.started.expected}
        for since in lost - expected:
            for activity in self.ledger.during(float(since), float(since)):
                activity.begin_process(Process("python", followed=False))
        if not lost:
            return []
        text = f"{len(lost)} processes ended before they could tell what they did."
        return [Note("lost-process", "", text)]


@contextmanager
def _variable_set(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _hook_installed() -> bool:
    """Whether Python itself begins the recording of a process, by the file that the wheel installs."""
    return Path(__file__).parent.parent.joinpath(HOOK).exists()


def _content(place: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(place.read_text(encoding="ascii"))
    return content


def _trace(content: dict[str, Any]) -> Trace:
    return Trace(
        {path: int(bits, 16) for path, bits in content["lines"].items()},
        frozenset(content["opened"]),
        frozenset(content["listed"]),
        frozenset(content["variables"]),
        frozenset(content["imported"]),
        frozenset(Process(program, followed) for program, followed in content["processes"]),
        frozenset(content["sought"]),
    )
