"""Reading a clone that was never indexed while the store still starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from api.clones import check_name, check_same_clone, repository_name
from api.settings import Settings
from graph.facts import Scope
from graph.progress import Progress
from graph.reading import Reading, reading_ahead
from graph.workspace import Workspace

Ahead = Callable[[Settings, Progress], AbstractContextManager[Reading | None]]
"""Begins to read; what it gives is handed to `indexing.index`."""


def first_reading(source: Path, name: str = "", rev: str = "HEAD") -> Ahead:
    """What `Service.open` is given where `Service.index` is asked of it next, with the same arguments."""
    return partial(_begun, source, name, rev)


@contextmanager
def _begun(
    source: Path, name: str, rev: str, settings: Settings, progress: Progress
) -> Iterator[Reading | None]:
    scope = Scope(settings.tenant, check_name(name or repository_name(source)))
    workspace = Workspace(settings.data)
    check_same_clone(workspace, scope, source, bool(name))
    with reading_ahead(
        workspace, scope, source, rev=rev, engine=settings.engine, progress=progress
    ) as reading:
        yield reading
