"""A tree that is read in a thread of its own, while the store starts and takes what is known already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

from graph.facts import Fact, Scope
from graph.ingest.git import Commit, Mirror
from graph.progress import Progress, silent
from graph.residence import Residence
from graph.resolution import Resolution, resolve
from graph.workspace import Workspace

Finding = Callable[[], tuple[Mirror, Commit]]
"""Finds the repository's mirror and the commit to read."""


class _Unwanted(BaseException):
    """Nobody waits for what is being read any more."""


class Reading:
    """One tree, read beside whatever the caller does; leaving its `with` block ends it at once.

    Parameters
    ----------
    workspace : Workspace
    scope : Scope
        The repository. Its writer's place is to be held as long as this lasts.
    find : callable
        Gives the mirror and the commit; called in the thread.
    engine : bool
        Whether the type engine is asked.
    held : ExitStack
        Holds the writer's place, where that was taken for this; closing it gives the place back.
    progress : Progress
        Called in the thread.
    residence : Residence, optional
        What a Maestro that stays up keeps; nobody else may use it meanwhile.
    """

    def __init__(
        self,
        workspace: Workspace,
        scope: Scope,
        find: Finding,
        *,
        held: ExitStack | None = None,
        engine: bool = True,
        progress: Progress = silent,
        residence: Residence | None = None,
    ) -> None:
        self._workspace, self._scope, self._find = workspace, scope, find
        self._engine, self._progress, self._residence = engine, progress, residence
        self.held = held or ExitStack()
        self.asked: tuple[Scope, Path, str] | None = None
        """For what it was begun, where that was before somebody wanted it."""
        self._unwanted = Event()
        self._found: Future[tuple[Mirror, Commit]] = Future()
        self._read: Future[Resolution] = Future()
        for future in (self._found, self._read):
            future.set_running_or_notify_cancel()  # who stops waiting for one does not cancel it
        self._parts: SimpleQueue[list[Fact] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="reading")

    def __enter__(self) -> Reading:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it, read or not, and wait until it has ended."""
        self.asked = None
        self._unwanted.set()
        self._thread.join()

    def serves(self, scope: Scope, source: Path, rev: str) -> bool:
        """Whether it was begun for that, and not ended since."""
        return self.asked == (scope, source, rev)

    def found(self) -> asyncio.Future[tuple[Mirror, Commit]]:
        """The mirror and the commit that is read. What goes wrong with them is raised here."""
        return asyncio.wrap_future(self._found)

    async def parts(self) -> AsyncIterator[list[Fact]]:
        """Facts as they become known; all of them are in the resolution too, and some come twice.

        A hyperedge may come before its nodes. What goes wrong is raised by `resolution`, not here.
        """
        while (part := await asyncio.to_thread(self._parts.get)) is not None:
            yield part

    def resolution(self) -> asyncio.Future[Resolution]:
        """All that the tree says. What goes wrong with reading it is raised here."""
        return asyncio.wrap_future(self._read)

    def _run(self) -> None:
        try:
            mirror, commit = self._find()
            self._heard("reading the repository", 0, 0)
            self._found.set_result((mirror, commit))
            resolution = resolve(
                self._workspace,
                mirror,
                self._scope,
                commit.tree,
                engine=self._engine,
                progress=self._heard,
                residence=self._residence,
                taking=self._take,
            )
            self._read.set_result(resolution)
        except BaseException as error:
            # Whoever waits gets it, an interrupt from a progress display included.
            for future in (self._found, self._read):
                if not future.done():
                    future.set_exception(error)
        finally:
            self._parts.put(None)

    def _take(self, facts: Iterable[Fact]) -> None:
        self._parts.put(list(facts))

    def _heard(self, phase: str, done: int, total: int) -> None:
        if self._unwanted.is_set():
            raise _Unwanted
        self._progress(phase, done, total)


def find_commit(source: Path, mirror: Path, rev: str) -> tuple[Mirror, Commit]:
    """Bring a mirror up to date with its clone, and find a revision in it.

    Raises
    ------
    RepositoryError, NotFoundError
        Where the clone or the revision cannot be read.
    """
    found = Mirror.refresh(source, mirror)
    return found, found.head() if rev == "HEAD" else found.resolve(rev)


@contextmanager
def reading_ahead(
    workspace: Workspace,
    scope: Scope,
    source: Path,
    *,
    rev: str = "HEAD",
    engine: bool = True,
    progress: Progress = silent,
    residence: Residence | None = None,
) -> Iterator[Reading | None]:
    """Begin to read a repository that was never indexed, for `indexing.index` to go on with.

    None where there are arrays of it: then little will have to be read, and only `index` knows what. The
    writer's place of the repository is held until then.

    Raises
    ------
    DiskError, StoreBusyError
        As `indexing.index` does.
    """
    if workspace.arrays(scope, "code").exists():
        yield None
        return

    def find() -> tuple[Mirror, Commit]:
        progress("reading the repository", 0, 0)
        return find_commit(source, workspace.mirror(scope), rev)

    workspace.prepare(scope)
    with ExitStack() as held:
        held.enter_context(workspace.writing(scope))
        with Reading(
            workspace, scope, find, held=held, engine=engine, progress=progress, residence=residence
        ) as reading:
            reading.asked = scope, source, rev
            yield reading
