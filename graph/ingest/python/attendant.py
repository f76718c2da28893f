"""A type engine that stays up: it watches the view, and reads again only what an edit touches.

The engine's own watching (`--watch`) holds on to all that it knows of a program, so that one edited file
costs a tenth of a run from nothing. Events of the file system come in order and in heaps of any
size; a module of our own that is written last, and named in the report, tells that all before it
was seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from graph.errors import EngineError
from graph.ingest.python.engine import (
    ALONE,
    BASE_SECONDS,
    SECONDS_A_FILE,
    TICK,
    Engine,
    Errand,
    arguments,
    configuration,
    environment,
    report_folder,
    stand_back,
)
from graph.ingest.python.report import PROJECT, Comments, Report

TURN = "__maestro_turn__"
"""The module that tells which edits the engine has seen."""
PERIOD = 0.01
"""Seconds between two looks at the report, at first: a small file on a disk in memory."""
SLACK = 0.02
"""By which part of what was waited already the looks grow rarer: whoever waits long waits no more of it."""

_KEEPER = """
import os, signal, sys
folder, command = sys.argv[1], sys.argv[2:]
child = os.posix_spawn(command[0], command, os.environ,
    file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)])
signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))
os.read(0, 1)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
import shutil
shutil.rmtree(folder, ignore_errors=True)
"""
"""Stands between: when we are gone, whatever ended us, its standard input ends; it ends the engine and
removes what that wrote."""


class Attendant:
    """An engine that has read a view and keeps up with it.

    Parameters
    ----------
    engine : Engine
    root, support : Path
        The view's folder, and the one beside it for modules that are ours.
    files : sequence of str
        Paths to report on, relative to `root`.
    search : sequence of str
        Source roots, as for `Engine.report`.
    comments : callable
        Lines that only the view has, as for `Report`.
    errand : Errand, optional
        Whether somebody waits for the first report.

    Raises
    ------
    EngineError
        From every method: the engine cannot be started, has ended, takes too long, or writes what
        is not understood. It is of no use then; `close` it.
    """

    def __init__(
        self,
        engine: Engine,
        root: Path,
        support: Path,
        files: Sequence[str],
        search: Sequence[str],
        comments: Comments,
        errand: Errand | None = None,
    ) -> None:
        self._turn = 0
        self._mark = support / f"{TURN}.py"
        self._seconds = BASE_SECONDS + SECONDS_A_FILE * len(files)
        self._draft = report_folder(root.parent)
        self._folder = self._draft.path
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._write_mark()
            config = self._folder / "engine.toml"
            marked = [*files, os.path.relpath(self._mark, root)]
            config.write_text(configuration(root, marked, search), "utf-8")
            command = [*arguments(engine, config, self._folder / "report"), "--watch"]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _KEEPER, str(self._folder), *command],
                cwd=self._folder,
                env=environment(self._folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            stand_back(self._process.pid)
            self._wait(self._seconds, errand or Errand())
            self.report = Report(self._folder / "report", root, comments)
        except OSError as error:
            self.close()
            raise EngineError(f"The type engine could not be run: {error}.", ALONE) from error
        except BaseException:
            self.close()
            raise

    def expect(self) -> None:
        """Files of the view are about to change."""
        (self._folder / "report" / PROJECT).unlink(missing_ok=True)

    def renew(self, comments: Comments, errand: Errand) -> set[str]:
        """Wait until the engine has read what changed since `expect`, and take in its report.

        Returns
        -------
        set of str
            Paths of the files that it has read again.
        """
        self._turn += 1
        try:
            self._write_mark()
            self._wait(self._seconds, errand)
        except OSError as error:
            raise EngineError(f"The type engine cannot be told of an edit: {error}.", ALONE) from error
        self.report.renew(comments)
        return self.report.written()

    def close(self) -> None:
        """End the engine and remove its report."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        self._draft.close()

    def _write_mark(self) -> None:
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._mark.with_suffix(".new")
        temporary.write_text(f"def {self._word()}(): ...\n", "ascii")
        temporary.replace(self._mark)

    def _word(self) -> str:
        return f"turn_{os.getpid()}_{self._turn}"

    def _wait(self, seconds: float, errand: Errand) -> None:
        """Return when the report speaks of the present turn, and is complete."""
        errand.under_way.set()
        begun = time.monotonic()
        while not self._written():
            errand.heed()
            if self._process is None or self._process.poll() is not None:
                raise EngineError("The type engine, which was to stay, has ended.", ALONE)
            waited = time.monotonic() - begun
            if waited > seconds:
                raise EngineError(f"The type engine did not finish within {seconds:.0f} s.", ALONE)
            time.sleep(PERIOD + min(waited * SLACK, TICK))

    def _written(self) -> bool:
        """Whether the list of modules, which is written last, is whole and younger than our mark's part."""
        report = self._folder / "report"
        try:
            listed = (report / PROJECT).stat().st_mtime_ns
            marks = list((report / "definitions").glob(f"{TURN}:*"))
            if not marks or marks[0].stat().st_mtime_ns > listed:
                return False
            if f'"{self._word()}"'.encode() not in marks[0].read_bytes():
                return False
            msgspec.json.decode((report / PROJECT).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        return True
