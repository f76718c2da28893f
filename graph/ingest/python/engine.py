"""The type engine as a child process: finding it, telling it what to read, running it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Event

from graph import drafts
from graph.drafts import DraftFolder
from graph.errors import EngineError
from graph.ingest.python.report import Comments, Report

DISTRIBUTION = "pyrefly"
ALONE = "Until then our own reader answers alone."
BASE_SECONDS = 60.0
SECONDS_A_FILE = 0.5
"""How long the engine may take: ten times what large repositories were measured to need."""


_PAGES = "thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1"
_STEM = "maestro-engine"
TICK = 0.1
"""Seconds between two looks at whether the engine is still wanted, or has answered."""
NICENESS = 10
"""How far the engine stands back where processors are short: what is written to the store meanwhile takes
longer than it does, one after the other."""
ROOM = 2 << 30
"""Bytes that must be free in memory for a report to be written there (a large one was .5 GB)."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What who asks the engine and who waits for it tell each other."""

    unwanted: Event = field(default_factory=Event)
    """Set when nobody waits for the answer any more: the engine is ended then."""
    under_way: Event = field(default_factory=Event)
    """Set when the engine reads, and there is nothing to do for it meanwhile."""

    def heed(self) -> None:
        """Give up where nobody waits any more: EngineError."""
        if self.unwanted.is_set():
            raise EngineError("The type engine was not waited for.", ALONE)


@dataclass(frozen=True, slots=True)
class Engine:
    """An installed engine."""

    binary: Path
    version: str

    @classmethod
    def find(cls) -> Engine:
        """The engine of this environment.

        Raises
        ------
        EngineError
            When it is not installed, or no wheel of it fits this platform.
        """
        try:
            found = distribution(DISTRIBUTION)
        except PackageNotFoundError as error:
            raise EngineError(f"The type engine {DISTRIBUTION} is not installed.", ALONE) from error
        name = DISTRIBUTION + (".exe" if os.name == "nt" else "")
        places = [Path(str(found.locate_file(file))) for file in found.files or () if file.name == name]
        places.append(Path(sys.executable).with_name(name))
        for place in places:
            if place.is_file() and os.access(place, os.X_OK):
                return cls(place.resolve(), found.version)
        on_path = shutil.which(name)
        if on_path is None:
            raise EngineError(
                f"{DISTRIBUTION} {found.version} is installed, but its program is not there.",
                f"Install {DISTRIBUTION} again. {ALONE}",
            )
        return cls(Path(on_path), found.version)

    @contextmanager
    def report(
        self,
        root: Path,
        files: Sequence[str],
        search: Sequence[str],
        *,
        seconds: float | None = None,
        comments: Comments | None = None,
        errand: Errand | None = None,
    ) -> Iterator[Report]:
        """Run the engine over files of a view; what it reports is there while the context lasts.

        Parameters
        ----------
        root : Path
            The view's folder: the engine reads nothing else but its own stubs.
        files : sequence of str
            Paths to report on, relative to `root`.
        search : sequence of str
            Source roots, relative to `root`, first match first; "" is `root` itself.
        seconds : float, optional
            After this long it is killed; by default from the number of files.
        comments : callable, optional
            See `Report`.
        errand : Errand, optional
            Whether somebody waits for the report: the engine is killed where nobody does.

        Raises
        ------
        EngineError
            When it fails, is killed, takes too long, or its report is not understood.
        """
        limit = seconds if seconds is not None else BASE_SECONDS + SECONDS_A_FILE * len(files)
        with report_folder(root.parent) as folder:
            config, found = folder / "engine.toml", folder / "report"
            try:
                config.write_text(configuration(root, files, search), "utf-8")
                self._run(config, found, limit, errand or Errand())
            except OSError as error:
                raise EngineError(f"The type engine could not be run: {error}.", ALONE) from error
            yield Report(found, root) if comments is None else Report(found, root, comments)

    def _run(self, config: Path, report: Path, seconds: float, errand: Errand) -> None:
        errand.heed()
        command = arguments(self, config, report)
        with subprocess.Popen(
            command,
            cwd=config.parent,
            env=environment(config.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                stand_back(process.pid)
                errand.under_way.set()
                errors = _errors(process, seconds, errand)
            finally:
                _end(process)
        # 1 says that it found type errors, which every real repository has.
        if process.returncode not in (0, 1) or not report.is_dir():
            last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise EngineError(f"The type engine ended with status {process.returncode}: {last[:300]}", ALONE)


def _errors(process: subprocess.Popen[bytes], seconds: float, errand: Errand) -> bytes:
    """What the engine says while it runs to its end; EngineError where that takes too long."""
    end = time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=min(TICK, seconds))[1]
        except subprocess.TimeoutExpired as error:
            if time.monotonic() > end:
                raise EngineError(f"The type engine did not finish within {seconds:.0f} s.", ALONE) from error
            errand.heed()


def stand_back(session: int) -> None:
    """Lower the priority of a session's processes, and of all that they start, by its leader's id."""
    if sys.platform == "win32":
        return
    with suppress(ProcessLookupError):  # it has ended; who waits for it says why
        os.setpriority(os.PRIO_PGRP, session, NICENESS)
    # Where Linux shares processors among sessions first, niceness counts only within one. Not every kernel
    # has such groups, nor shows them in every container.
    with suppress(OSError):
        Path(f"/proc/{session}/autogroup").write_text(str(NICENESS), "ascii")


def arguments(engine: Engine, config: Path, report: Path) -> list[str]:
    """The command that makes an engine read what a configuration says, and report on it."""
    return [
        str(engine.binary),
        "check",
        "--config",
        str(config),
        "--report-pysa",
        str(report),
        "--report-pysa-format",
        "json",
        "--output-format",
        "omit-errors",
        "--progress-bar",
        "no",
    ]


def environment(home: Path) -> dict[str, str]:
    """What the engine gets to see of ours: nothing that could change its answers.

    Its allocator (jemalloc) is told to take pages of 2 MB and to keep them: a quarter of the engine's time
    went into small ones.
    """
    return {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8", "_RJEM_MALLOC_CONF": _PAGES}


def report_folder(beside: Path) -> DraftFolder:
    """A folder for a report; those of Maestros that were killed are removed first.

    Raises
    ------
    EngineError
        It cannot be made.
    """
    place = roomy(beside)
    drafts.sweep(place, _STEM)
    try:
        return DraftFolder(place, _STEM)
    except OSError as error:
        raise EngineError(f"The type engine could not be run: {error}.", ALONE) from error


def roomy(folder: Path) -> Path:
    """Where a report is written: in memory where that has room, since it is read once and dropped.

    The engine writes its own 7,000 stub files beside every report; on a disk that takes longer
    than all the rest.
    """
    memory = Path("/dev/shm")  # noqa: S108
    try:
        found = os.statvfs(memory)
    except (OSError, AttributeError):
        return folder
    free = found.f_bavail * found.f_frsize
    return memory if free >= ROOM and os.access(memory, os.W_OK) else folder


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started, however this is left."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def configuration(root: Path, files: Iterable[str], search: Iterable[str]) -> str:
    """The engine's configuration (TOML): exactly these files, no heuristics of its own."""

    def quoted(paths: Iterable[str]) -> str:
        return json.dumps(list(paths), ensure_ascii=False).replace("\x7f", "\\u007f")

    return "\n".join(
        (
            f"project-includes = {quoted(_as_glob(f'{root}/{file}') for file in files)}",
            "project-excludes = []",
            "disable-project-excludes-heuristics = true",
            "disable-search-path-heuristics = true",
            "use-ignore-files = false",
            f"search-path = {quoted(str(root / source) for source in search)}",
            'untyped-def-behavior = "check-and-infer-return-type"',
            "skip-interpreter-query = true",
            "",
        )
    )


def _as_glob(path: str) -> str:
    """A path as a pattern that fits it alone."""
    return "".join(f"[{letter}]" if letter in "[]*?{}" else letter for letter in path)


def readable(path: str) -> bool:
    """Whether the engine can be given a file of that path: it drops names that are not UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
