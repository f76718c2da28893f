"""A run that is recorded, from its beginning to its recording: alone, or distributed over workers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest

from maestro_selection.recording import Note, Recording, RecordingError, merge, packed, read, write
from pytest_maestro.assembly import Before, completed, seen, with_history
from pytest_maestro.checkout import Checkout
from pytest_maestro.lines import LinesError
from pytest_maestro.recorder import Recorder

OUTPUT = "maestro_recording"
ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


class Recorded(ABC):
    """What alone and distributed runs share: the file, and what is said at the end."""

    def __init__(self, config: pytest.Config, place: Path) -> None:
        self.config = config
        self.place = place
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        """Have a sentence printed at the end of the run."""
        self.said.append(sentence)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what is to be said."""
        for sentence in self.said:
            terminalreporter.write_line(f"maestro: {sentence}")

    def keep(self, recording: Recording, before: Before, complete: bool) -> None:
        """Write the recording, joined with the one that is there."""
        previous = self._previous()
        whole = completed(recording, before, previous)
        if previous is not None:
            whole = with_history(whole, previous, complete)
        write(whole, self.place)
        _leave_out_of_git(self.place)
        count = len(recording.tests)
        self.say(f"recorded {count} {'test' if count == 1 else 'tests'} in {self._shown()}.")
        for note in recording.notes:
            if note.kind in ("lost-process", "other", "incomplete"):
                self.say(note.text)
        outside = [note.path for note in recording.notes if note.kind == "outside"]
        if outside:
            self.say(
                f"{len(outside)} files of this repository ({outside[0]}) were run from an installed copy, so "
                "a change of these will run all tests. Install the project in place (pip install -e)."
            )
        self._send()

    def _send(self) -> None:
        """Send what was written to the service, where one is named."""
        options = self.config.option
        if options.maestro_url:
            from pytest_maestro.remote import send

            content = self.place.read_bytes()
            repository, seconds = options.maestro_repository, options.maestro_timeout
            self.say(send(options.maestro_url, repository, content, seconds))

    def finish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write what was seen, or say why not."""
        try:
            self._finish(session, exitstatus)
        except RecordingError as error:
            self.say(f"nothing was recorded: {error}")
        except Exception as error:  # a run must never fail for the sake of its recording
            self.say(f"nothing was recorded, by a fault of the plugin: {type(error).__name__}: {error}")

    @abstractmethod
    def _finish(self, session: pytest.Session, exitstatus: int) -> None: ...

    def _previous(self) -> Recording | None:
        if not self.place.exists():
            return None
        try:
            return read(self.place)
        except RecordingError as error:
            self.say(f"the earlier recording is replaced: {error.message}")
            return None

    def _shown(self) -> str:
        shown = os.path.relpath(self.place)
        return str(self.place) if shown.startswith(os.pardir) else shown

    def complete(self, session: pytest.Session, exitstatus: int, deselected: bool) -> bool:
        """Whether every test of the collected files ran."""
        named = any("::" in str(argument) for argument in self.config.args)
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        return ended and not (deselected or named or session.shouldstop or session.shouldfail)


class Session(Recorded):
    """A run in this process alone."""

    def __init__(self, config: pytest.Config, place: Path) -> None:
        super().__init__(config, place)
        self.before = Before(Checkout.around(str(config.rootpath)))
        self.recorder = Recorder(self.before.checkout.place)
        self.recording = False

    @classmethod
    def begun(cls, config: pytest.Config, place: Path) -> Session:
        """The run, recording from now on; where that is not possible it goes on without, and says so."""
        session = cls(config, place)
        try:
            session.recorder.start(processes=True)
            session.recording = True
        except LinesError as error:
            session.say(f"nothing is recorded: {error}.")
        if session.recording:
            config.pluginmanager.register(session.recorder)
            if config.inipath is not None:
                inner = session.recorder.place.relative(str(config.inipath))
                session.recorder.ledger.session.open(inner)
        return session

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the recording."""
        if not self.recording:
            return
        self.recorder.stop()
        self.finish(session, exitstatus)

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        refused = refusal(exitstatus, self.recorder.broken_collection, bool(self.recorder.runs))
        if refused:
            self.say(f"nothing was recorded: {refused}")
            return
        found = seen(self.recorder)
        self.keep(found, self.before, self.complete(session, exitstatus, self.recorder.deselected))


def refusal(exitstatus: int, broken: bool, ran: bool) -> str:
    """Why a run leaves no recording, or empty: a broken one must not take a good one's place."""
    if broken:
        return "some files could not be collected, so an earlier recording is left as it was."
    if not ran:
        return "no test ran, so an earlier recording is left as it was."
    if exitstatus not in ENDED:
        return f"the run ended with status {int(exitstatus)}, so an earlier recording is left as it was."
    return ""


class Worker(Session):
    """One of the processes that pytest-xdist distributes a run over: hands what it saw to the controller."""

    def __init__(self, config: pytest.Config, place: Path) -> None:
        Recorded.__init__(self, config, place)
        self.recorder = Recorder(Checkout.around(str(config.rootpath)).place)
        self.recording = False

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output[OUTPUT] = {
            "recording": packed(seen(self.recorder)),
            "broken": self.recorder.broken_collection,
            "deselected": self.recorder.deselected,
            "said": list(self.said),
        }


class Controller(Recorded):
    """The process that distributes a run by pytest-xdist: joins what its workers saw."""

    def __init__(self, config: pytest.Config, place: Path) -> None:
        super().__init__(config, place)
        self.before = Before(Checkout.around(str(config.rootpath)))
        self.shards: list[Recording] = []
        self.broken = False
        self.deselected = False
        self.lost: list[str] = []

    @classmethod
    def begun(cls, config: pytest.Config, place: Path) -> Controller:
        """The run; its workers record, since they are given the same options."""
        return cls(config, place)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Take what a worker saw."""
        output = (getattr(node, "workeroutput", None) or {}).get(OUTPUT)
        if output is None:
            self.lost.append(str(getattr(node.gateway, "id", node)))
            return
        self.broken |= output["broken"]
        self.deselected |= output["deselected"]
        for sentence in output["said"]:
            self.say(sentence)
        self.shards.append(read(output["recording"]))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Join and write."""
        self.finish(session, exitstatus)

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        ran = any(shard.tests for shard in self.shards)
        refused = refusal(exitstatus, self.broken, ran)
        if refused:
            self.say(f"nothing was recorded: {refused}")
            return
        found = merge(self.shards)
        if self.lost:
            text = f"Workers ended without telling what they saw: {', '.join(sorted(self.lost))}."
            notes = (*found.notes, Note("incomplete", "", text))
            found = Recording(**{**vars(found), "notes": notes})
        self.keep(found, self.before, self.complete(session, exitstatus, self.deselected or bool(self.lost)))


def _leave_out_of_git(place: Path) -> None:
    """Have git ignore the folder that the plugin makes for itself, and no other."""
    ignored = place.parent / ".gitignore"
    if place.parent.name == ".maestro" and not ignored.exists():
        ignored.write_text("# Made by pytest-maestro.\n*\n", encoding="utf-8")
