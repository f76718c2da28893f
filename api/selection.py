"""Test selection through the service: recordings taken in, evidence kept ready, tests of a change."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from api import documents
from graph import recordings, runtime
from graph.changes import Change
from graph.errors import InputError, NotFoundError, RecordingError
from graph.facts import Scope
from graph.ingest.git import Commit, Mirror
from graph.ingest.notebook import replace_file
from graph.progress import Progress, silent
from graph.queries import backtest as replaying
from graph.queries import ordering, static_tests, tests

if TYPE_CHECKING:
    from api.questions import Question
    from api.service import Service

READY = 4
"""Repositories whose evidence is kept in memory."""
_ready: OrderedDict[tuple[Path, Scope, str], tests.Evidence] = OrderedDict()


def evidence(service: Service, scope: Scope, mirror: Mirror) -> tests.Evidence | None:
    """The recordings of a repository made ready; None where it has none."""
    every = recordings.kept(service.workspace, scope)
    notes = [note for note in every if note.format == recordings.RECORDING]
    if not notes:
        return None
    key = (service.settings.data, scope, recordings.mark(notes))
    found = _ready.get(key)
    if found is None:
        whole = recordings.load(service.workspace, scope)
        if whole is None:
            return None
        found = _ready[key] = tests.Evidence.of(whole, mirror)
        while len(_ready) > READY:
            _ready.popitem(last=False)
    _ready.move_to_end(key)
    return found


def held(service: Service, scope: Scope, commit: str) -> tuple[documents.HeldRecording, ...]:
    """The recordings and reports that a repository has, and how far each is from a commit."""
    notes = recordings.kept(service.workspace, scope)
    if not notes:
        return ()
    mirror = service.mirror(scope, refresh=False)
    return tuple(
        documents.HeldRecording(
            digest=note.digest,
            format=note.format,
            commit=note.commit,
            dirty=note.dirty,
            tests=note.tests,
            distance=str(recordings.distance(note, mirror, commit)),
            bytes=note.bytes,
        )
        for note in notes
    )


STATES = 3
"""Recordings that a test keeps; those that tell of no test among its newest ones are pruned."""


def tidy(service: Service, scope: Scope, dry_run: bool = False) -> int:
    """Remove recordings that newer ones stand for; bytes freed. What runtime facts say stays as it is."""
    idle = recordings.superseded(service.workspace, scope, STATES)
    if dry_run:
        return sum(note.bytes for note in idle)
    return recordings.forget(service.workspace, scope, idle)


def check_mode(mode: str, budget: float, static: bool) -> None:
    """Refuse what does not go together; InputError says what does."""
    if not math.isfinite(budget) or budget < 0 or (budget > 0) != (mode == "budget"):
        raise InputError(
            "A budget needs its seconds, and only a budget does.", "Write --mode budget --seconds 60."
        )
    if static and mode != "safe":
        raise InputError(
            "Without a recording nothing tells what tests cover or cost.", "Leave the mode away."
        )


async def select(
    service: Service,
    question: Question,
    *,
    mode: str = "safe",
    budget: float = 0.0,
    static: bool = False,
    refresh: bool = True,
    progress: Progress = silent,
) -> documents.Tests:
    """The tests that a change can alter.

    Parameters
    ----------
    static : bool
        By the graph alone; otherwise by recordings.

    Raises
    ------
    NotFoundError
        The repository has no recording, and `static` was not asked for.
    """
    check_mode(mode, budget, static)
    begun = time.monotonic()
    scope = await service.choose(question.repository)
    head = await service.arrays(scope)

    def compute() -> documents.Tests:
        mirror = service.mirror(scope, refresh)
        change = service.change(mirror, scope, question)
        if static:
            judged = service.judge(mirror, change, progress)
            found = static_tests.select(judged, mirror)
        else:
            found = _by_recordings(service, scope, mirror, change, mode, budget, progress)
        seconds = time.monotonic() - begun
        return document(found, change, run=head.head, indexed=head.commit, seconds=seconds)

    return await service.offload(compute)


def _by_recordings(
    service: Service,
    scope: Scope,
    mirror: Mirror,
    change: Change,
    mode: str,
    budget: float,
    progress: Progress,
) -> tests.Tests:
    progress("reading the recordings", 0, 0)
    ready = evidence(service, scope, mirror)
    if ready is None:
        raise _unrecorded(scope)
    progress("selecting tests", 0, 0)
    head = change.head.commit or change.base.commit
    found = tests.select(
        ready, mirror, scope, change.head.tree, head=head, unread=change.unread, weigh=mode != "safe"
    )
    if mode == "minimal":
        few = ordering.minimal(found)
        return replace(few, notes=(*few.notes, _experience(service, scope)))
    return ordering.budget(found, budget) if mode == "budget" else found


async def backtest(
    service: Service, repository: str, commits: int, *, progress: Progress = silent
) -> documents.Backtest:
    """What selection would have done over the last commits, by the outcomes that recordings hold.

    Raises
    ------
    NotFoundError
        The repository has no recording.
    """
    begun = time.monotonic()
    scope = await service.choose(repository)
    head = await service.arrays(scope)

    def compute() -> documents.Backtest:
        mirror = service.mirror(scope, True)
        whole = recordings.load(service.workspace, scope)
        if whole is None:
            raise _unrecorded(scope)
        states = [
            replace(state, earlier=())
            for state in whole.states()
            if state.commit and mirror.has(state.commit)
        ]
        steps = replaying.replay(mirror, scope, states, head.commit, commits, progress)
        return documents.Backtest(
            repository=scope.repository,
            commits=commits,
            steps=tuple(
                documents.BacktestStep(
                    base=step.base,
                    commit=step.commit,
                    known=step.known,
                    selected=step.selected,
                    seconds=round(step.seconds, 3),
                    seconds_all=round(step.seconds_all, 3),
                    judged=step.judged,
                    turned=step.turned,
                    missed=step.missed,
                    orders=documents.BacktestOrders(**asdict(step.orders)) if step.orders else None,
                )
                for step in steps
            ),
            seconds=time.monotonic() - begun,
        )

    found = await service.offload(compute)
    faults = [step.orders.missed for step in found.steps if step.orders is not None]
    past = Past(commit=head.commit, faults=len(faults), missed=sum(faults))
    replace_file(service.workspace.backtest(scope), msgspec.json.encode(past))
    return found


class Past(msgspec.Struct, frozen=True):
    """What the last back-test of a repository told of the minimal mode: faults, and those it missed."""

    commit: str
    faults: int
    missed: int


def _experience(service: Service, scope: Scope) -> str:
    """How often the minimal mode missed in this repository, as far as that is known."""
    unknown = "How often a fault shows in none of them here is not known"
    try:
        past = msgspec.json.decode(service.workspace.backtest(scope).read_bytes(), type=Past)
    except FileNotFoundError:
        return f"{unknown}: maestro backtest tells."
    except (OSError, msgspec.DecodeError) as error:
        return (
            f"{unknown}: what the last back-test told cannot be read ({type(error).__name__}). Run it again."
        )
    if not past.faults:
        return f"{unknown}: the back-test at {past.commit[:10]} met no recorded failure."
    return (
        f"In the back-test at {past.commit[:10]} it missed {past.missed} of {past.faults} faults "
        f"({past.missed / past.faults:.0%})."
    )


def _unrecorded(scope: Scope) -> NotFoundError:
    return NotFoundError(
        f"{scope.repository} has no recording of a test run.",
        "Make one with pytest --maestro-record and take it in: maestro index PATH --recording FILE. "
        "--static selects by the graph alone.",
    )


def read(
    service: Service, scope: Scope, source: Path, rev: str, paths: Sequence[Path]
) -> list[runtime.Given]:
    """Recordings of files, checked to be of a clone before anything is indexed."""
    if not paths:
        return []
    service.workspace.prepare(scope)
    mirror = Mirror.refresh(source, service.workspace.mirror(scope))
    return runtime.read_given(paths, mirror, mirror.head() if rev == "HEAD" else mirror.resolve(rev))


async def receive(service: Service, repository: str, data: bytes) -> documents.Received:
    """Take in a recording that was sent.

    Raises
    ------
    NotFoundError, AmbiguousError
        No repository is called so, or several could be meant.
    RecordingError
        It cannot be used, or belongs to another repository: nothing is taken then.
    StoreBusyError
        Another process is writing to the repository.
    """
    scope = await service.choose(repository)
    head = (await service.arrays(scope)).commit

    def check() -> tuple[Commit, runtime.Given]:
        mirror = service.mirror(scope, refresh=True)
        commit = mirror.commit(head)
        given = runtime.accept(data, "that was sent", mirror, commit)
        if given.note.format != recordings.RECORDING:
            raise RecordingError(
                f"A {given.note.format} report does not tell which commit it was made at.",
                "Take it in where that is known: maestro index PATH --rev REV --recording FILE.",
            )
        return commit, given

    commit, given = await service.offload(check)
    taken = await take_in(service, scope, commit, [given])
    return documents.Received(repository=scope.repository, commit=head, recordings=taken)


async def take_in(
    service: Service,
    scope: Scope,
    commit: Commit,
    given: Sequence[runtime.Given],
    progress: Progress = silent,
) -> documents.TakenIn:
    """Take recordings in, and say what came of it."""
    mirror = service.mirror(scope, refresh=False)
    taken = await runtime.take_in(
        service.store, service.workspace, scope, mirror, commit, given, progress, service.offload
    )
    return documents.TakenIn(
        recordings=tuple(
            documents.TakenRecording(
                name=name,
                digest=kept.digest,
                format=kept.format,
                commit=kept.commit,
                dirty=kept.dirty,
                tests=kept.tests,
                distance=str(distance),
                bytes=kept.bytes,
            )
            for name, kept, distance in taken.given
        ),
        kept=taken.recordings,
        tests=taken.tests,
        edges=taken.edges,
        created=taken.created,
        retired=taken.retired,
        run=taken.head,
        notes=taken.notes,
    )


def document(
    found: tests.Tests, change: Change, *, run: int, indexed: str, seconds: float
) -> documents.Tests:
    """An answer as a document."""
    return documents.Tests(
        repository=found.scope.repository,
        asked=change.asked,
        base=change.base.commit,
        head=change.head.commit,
        run=run,
        indexed=indexed,
        mode=found.mode,
        basis=found.basis,
        selected=tuple(
            documents.SelectedTest(
                test=each.node,
                seconds=each.seconds,
                new=each.new,
                reasons=tuple(reason.steps for reason in each.reasons),
            )
            for each in found.choices
        ),
        skipped=found.skipped,
        left=found.left,
        widened=found.widened,
        notes=found.notes,
        recordings=tuple(
            documents.JudgedRecording(
                commit=state.commit,
                dirty=state.dirty,
                distance=str(state.distance),
                tests=state.tests,
                differing=state.differing,
            )
            for state in found.states
        ),
        seconds=seconds,
    )
