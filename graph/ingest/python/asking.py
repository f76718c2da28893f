"""What the type engine says of a program: from memory, of what changed alone, or of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from graph.errors import EngineError
from graph.ingest.python import answers, engine, staging, view
from graph.ingest.python.attendant import Attendant
from graph.ingest.python.memory import FEW, Memory, interface, written
from graph.ingest.python.program import Program
from graph.ingest.python.report import Report
from graph.ingest.python.rewriting import transcode
from graph.ingest.python.surroundings import dependents

Blobs = Callable[[str], bytes]


class Said(NamedTuple):
    """The engine's answers by file, and why files have none."""

    answers: Mapping[str, answers.Answers] = {}
    silent: Mapping[str, str] = {}
    failure: EngineError | None = None
    context: str = ""
    """What besides the files decided the answers (see `memory.World`)."""
    shown: Mapping[str, str] = {}
    """By path the digest of what the engine saw."""
    keys: Mapping[str, str] = {}
    """By path the key of the answers on the shelf."""
    moved: frozenset[str] | None = None
    """Files whose answers may be others than those last given; None where any may be."""


class Desk:
    """Where the engine is asked: a repository's cache, and the engine that stays up, if one does.

    Parameters
    ----------
    folder : Path
        Holds the view.
    stays : bool
        Whether an engine that was started is kept for the next edit.
    """

    def __init__(self, folder: Path, stays: bool = False) -> None:
        self.folder = folder
        self._stays = stays
        self._attendant: Attendant | None = None
        self._attends: tuple[object, ...] = ()
        self._shown: Mapping[str, str] = {}

    def ask(
        self,
        program: Program,
        ids: Mapping[str, str],
        parameters: staging.Parameters,
        blobs: Blobs,
        memory: Memory,
        last: Said | None = None,
        errand: engine.Errand | None = None,
    ) -> Said:
        """Let the engine read the tree; an engine that fails is a reason, never an error.

        Parameters
        ----------
        last : Said, optional
            What it said of a tree before, where that is at hand: saves looking into the memory.
        errand : Errand, optional
            Tells who waits when the engine is at it, and the engine where nobody waits any more.
        """
        records = program.records
        readable = {path: ids[path] for path, record in records.items() if record.diagnosis is None}
        staged = staging.stage(program, readable, parameters)
        refused = view.refused(staged.files)
        shown = {path: file.digest() for path, file in staged.files.items() if path not in refused}
        kept: Mapping[str, str] = {}
        moved: frozenset[str] | None = None
        try:
            found = engine.Engine.find()
            context = repr((found.version, program.roots, staged.values))
            known = _differing(last, context, shown)
            if known is None:
                known = memory.recall(context, shown)
            elif last is not None:
                moved, kept = frozenset(known[1]), last.keys
            said, changed = known if known is not None else ({}, shown)
            if changed:
                self.folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self.folder / "lock"):
                    asking = _Asking(
                        self, program, ids, blobs, found, staged, parameters, errand or engine.Errand()
                    )
                    said, alone = asking.all(said, changed, shown)
                if not alone:
                    moved, kept = None, {}
                kept = {path: key for path, key in kept.items() if path not in changed}
                kept = memory.remember(context, shown, said, kept)
        except EngineError as error:
            return Said(failure=error)
        unsaid = dict.fromkeys(sorted(shown.keys() - said.keys()), "the engine left it out")
        return Said(said, refused | unsaid, None, context, shown, kept, moved)

    def attendant(self, found: engine.Engine, copy: view.View, search: tuple[str, ...]) -> Attendant | None:
        """The engine that stays up, told that the view is about to change; None unless it knows the view."""
        attends = (found.binary, search, copy.root)
        if self._attendant is None or self._attends != attends or copy.shown() != self._shown:
            return None
        try:
            self._attendant.expect()
        except OSError:
            self.close()
        return self._attendant

    def start(
        self, found: engine.Engine, copy: view.View, search: tuple[str, ...], errand: engine.Errand
    ) -> Report | None:
        """Read the whole view with an engine that stays up; None where it cannot, or is not to."""
        self.close()
        if not self._stays:
            return None
        try:
            self._attendant = Attendant(
                found, copy.root, copy.support, copy.paths(), search, copy.comments, errand
            )
        except EngineError:
            return None  # asked again without watching, which says what is wrong with it
        self._attends = (found.binary, search, copy.root)
        self._shown = copy.shown()
        return self._attendant.report

    def renewed(self, copy: view.View, changed: Iterable[str], errand: engine.Errand) -> Report | None:
        """The report of the engine that stays up, on these files among others; None where it has none.

        Files that it reads again beside them, since lines moved under what they import, are not looked
        at: whether they can have moved is asked of the interfaces of those that changed.
        """
        if self._attendant is None:
            return None
        try:
            read = self._attendant.renew(copy.comments, errand)
        except EngineError:
            self.close()
            return None
        self._shown = copy.shown()
        return self._attendant.report if read.issuperset(changed) else None

    def close(self) -> None:
        """End the engine that stays up."""
        attendant, self._attendant = self._attendant, None
        if attendant is not None:
            attendant.close()


def _differing(
    last: Said | None, context: str, shown: Mapping[str, str]
) -> tuple[dict[str, answers.Answers], dict[str, str]] | None:
    """What was said last, and the files that differ; None where something else differs too."""
    if last is None or last.failure is not None or last.context != context:
        return None
    if last.shown.keys() != shown.keys():
        return None
    changed = {path: digest for path, digest in shown.items() if last.shown[path] != digest}
    return (dict(last.answers), changed) if len(changed) <= FEW else None


class _Asking:
    """A view that is written, and what the engine says of it."""

    def __init__(
        self,
        desk: Desk,
        program: Program,
        ids: Mapping[str, str],
        blobs: Blobs,
        found: engine.Engine,
        staged: staging.Stage,
        parameters: staging.Parameters,
        errand: engine.Errand,
    ) -> None:
        self._desk = desk
        self._errand = errand
        self._program = program
        self._parameters = parameters
        self._engine = found
        self._view = view.View(desk.folder)
        self._search = (*program.roots, str(self._view.support))
        self._lines = _lines(ids, blobs)
        self._stayed = desk.attendant(found, self._view, self._search) is not None
        self._view.write(staged.files, blobs, staged.values)

    def all(
        self, said: dict[str, answers.Answers], changed: Mapping[str, str], shown: Mapping[str, str]
    ) -> tuple[dict[str, answers.Answers], bool]:
        """Answers of every file: of the changed ones alone where nothing else can have moved.

        Where it can, only files with a changed one in their import closure are answered anew: the
        engine does not settle every circle of inferred types alike each time it runs, and nobody's
        code may seem to have moved by that. The second value says that only the changed ones were.
        """
        records = self._program.records
        if said.keys() >= changed.keys() and all(
            said[path].interface.startswith(f"{written(records[path])}-") for path in changed
        ):
            alone = self._alone(changed)
            if alone.keys() == changed.keys() and all(
                alone[path].interface == said[path].interface for path in changed
            ):
                return {**said, **alone}, True
        fresh = self._everything(shown)
        moved = dependents(self._program, self._parameters, changed) if said else set(shown)
        return {
            path: fresh[path] if path in moved or path not in said else said[path] for path in fresh
        }, False

    def _alone(self, changed: Iterable[str]) -> dict[str, answers.Answers]:
        if self._stayed:
            report = self._desk.renewed(self._view, changed, self._errand)
            if report is not None:
                said = self._taken(report, set(changed))
                report.clear()
                return said
        return self._read(changed)

    def _everything(self, shown: Iterable[str]) -> dict[str, answers.Answers]:
        report = self._desk.start(self._engine, self._view, self._search, self._errand)
        if report is None:
            return self._read(shown)
        said = self._taken(report, set(shown))
        report.clear()
        return said

    def _read(self, paths: Iterable[str]) -> dict[str, answers.Answers]:
        held = set(self._view.paths())
        files = [path for path in paths if path in held]
        with self._engine.report(
            self._view.root,
            files,
            self._search,
            comments=self._view.comments,
            errand=self._errand,
        ) as report:
            return self._taken(report, set(files))

    def _taken(self, report: Report, wanted: set[str]) -> dict[str, answers.Answers]:
        records = self._program.records
        places = answers.Places(records, self._lines)
        said = {}
        for path, found in answers.collect(report, wanted, records, places, self._view.insertions):
            self._errand.heed()
            handing = {target.place for at in report.handing(path) if (target := places.target(at))}
            found.interface = interface(records[path], report.interface(path), handing)
            said[path] = found
        return said


def _lines(ids: Mapping[str, str], blobs: Blobs) -> Callable[[str], list[bytes] | None]:
    """Lines of a file as the engine saw them; None where bytes and characters are the same."""
    known: dict[str, list[bytes] | None] = {}

    def lines(path: str) -> list[bytes] | None:
        if path not in known:
            data = blobs(ids[path])
            known[path] = None if data.isascii() else (transcode(data) or b"").split(b"\n")
        return known[path]

    return lines
