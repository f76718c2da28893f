"""What a repository was: arrays as of a date or a revision, from facts that were retired since."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from graph import past
from graph.errors import NotFoundError
from graph.incidence import Incidence

if TYPE_CHECKING:
    from api import documents
    from api.service import Service
    from graph.facts import Scope
    from graph.store import Head

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Told = TypeVar("Told", "documents.Impact", "documents.Paths", "documents.Found", "documents.Export")


@dataclass(frozen=True, slots=True)
class View:
    """The arrays that a question is answered from, and from when they are."""

    arrays: Incidence
    at: str = ""
    """When they became the head, where an earlier head was asked for; empty for today's."""

    def dated(self, answer: Told) -> Told:
        """The answer, saying so."""
        return msgspec.structs.replace(answer, at=self.at)


async def view(service: Service, scope: Scope, as_of: str) -> View:
    """The arrays of a repository as of a date or revision; as they are today where none is given.

    Raises
    ------
    InputError
        It is neither a date nor a revision.
    NotFoundError
        There was no index then, none of that revision, or what was retired since is pruned.
    """
    current = await service.arrays(scope)
    if not as_of:
        return View(current)
    head = await _head(service, scope, as_of)
    arrays = await past.arrays_at(service.store, current, head, service.workspace.sides(scope))
    return View(arrays, past.shown(head.at))


async def _head(service: Service, scope: Scope, as_of: str) -> Head:
    """What looks like a date is one, whatever branches there are."""
    if _DATE.match(as_of):
        return await past.head_at(service.store, scope, past.moment(as_of))
    try:
        commit = service.mirror(scope, refresh=False).resolve(as_of)
    except NotFoundError:
        commit = service.mirror(scope, refresh=True).resolve(as_of)
    return await past.head_of(service.store, scope, commit.id)
