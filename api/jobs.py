"""Questions as values: whichever process has the graph can work on them."""

# ruff: noqa: D102 - each class says what its job is

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

from api import documents, reviewing, selection
from api.questions import DEPTH, Mode, Question, Subject
from api.review_documents import Reviewers
from api.service import Service
from api.settings import Settings
from graph.errors import DeadlineError
from graph.offload import Offload
from graph.progress import Progress
from graph.queries.owners import owners_of
from graph.schema import DEFAULT_TIER, Tier

T = TypeVar("T")


class Job(ABC, Generic[T]):
    """One question to a service. It can be pickled, and so can what comes of it."""

    @abstractmethod
    async def run(self, service: Service, deadline: float) -> T:
        """Work on it; DeadlineError once `time.monotonic` is past the deadline."""

    @property
    def place(self) -> str | None:
        """Where trees have to be read for it: a repository's name. None where the arrays tell all."""
        return None


class Answering(Protocol):
    """What answers: a service, or a crew of processes."""

    @property
    def settings(self) -> Settings:
        """Those it was begun with."""

    async def answer(self, job: Job[T], deadline: float) -> T:
        """What came of a job."""


@dataclass(frozen=True, slots=True)
class Local:
    """A service in this process, see `Answering`."""

    service: Service
    """How it offloads is for what has trees to read, which may take many seconds."""
    brief: Offload
    """How a computation is run for which the arrays are enough."""

    @property
    def settings(self) -> Settings:
        """The service's."""
        return self.service.settings

    async def answer(self, job: Job[T], deadline: float) -> T:
        """What came of a job."""
        service = self.service if job.place is not None else replace(self.service, offload=self.brief)
        return await job.run(service, deadline)


def watch(deadline: float) -> Progress:
    """Progress that ends work which is late."""

    def progress(phase: str, done: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise DeadlineError(
                f"The question took longer than it may ({phase}).",
                "Index the revisions it needs first, or raise MAESTRO_DEADLINE.",
            )

    return progress


@dataclass(frozen=True, slots=True)
class ImpactJob(Job[documents.Impact]):
    """See `Service.impact`."""

    question: Question
    limit: int

    async def run(self, service: Service, deadline: float) -> documents.Impact:
        return await service.impact(
            self.question, refresh=False, progress=watch(deadline), deadline=deadline, limit=self.limit
        )

    @property
    def place(self) -> str | None:
        changes = self.question.subject in (Subject.REVISIONS, Subject.DIFF)
        return self.question.repository if changes else None


@dataclass(frozen=True, slots=True)
class SelectionJob(Job[documents.Tests]):
    """See `selection.select`."""

    question: Question
    mode: Mode
    seconds: float
    static: bool

    async def run(self, service: Service, deadline: float) -> documents.Tests:
        return await selection.select(
            service,
            self.question,
            mode=self.mode.value,
            budget=self.seconds,
            static=self.static,
            refresh=False,
            progress=watch(deadline),
        )

    @property
    def place(self) -> str | None:
        return self.question.repository


@dataclass(frozen=True, slots=True)
class ReviewersJob(Job[Reviewers]):
    """See `reviewing.advise`."""

    question: Question
    asking: reviewing.Asking

    async def run(self, service: Service, deadline: float) -> Reviewers:
        return await reviewing.advise(
            service, self.question, self.asking, refresh=False, progress=watch(deadline)
        )

    @property
    def place(self) -> str | None:
        return self.question.repository


@dataclass(frozen=True, slots=True)
class NodeJob(Job[documents.Found]):
    """See `Service.node`."""

    name: str
    repository: str

    async def run(self, service: Service, deadline: float) -> documents.Found:
        return await service.node(self.name, self.repository)


@dataclass(frozen=True, slots=True)
class SearchJob(Job[documents.Found]):
    """See `Service.search`."""

    query: str
    repository: str
    limit: int
    as_of: str

    async def run(self, service: Service, deadline: float) -> documents.Found:
        return await service.search(self.query, self.repository, limit=self.limit, as_of=self.as_of)


@dataclass(frozen=True, slots=True)
class PathsJob(Job[documents.Paths]):
    """See `Service.paths`."""

    source: str
    target: str
    repository: str
    count: int
    tier: Tier = DEFAULT_TIER
    depth: int = DEPTH
    as_of: str = ""

    async def run(self, service: Service, deadline: float) -> documents.Paths:
        return await service.paths(
            self.source,
            self.target,
            self.repository,
            tier=self.tier,
            depth=self.depth,
            count=self.count,
            as_of=self.as_of,
            deadline=deadline,
        )


@dataclass(frozen=True, slots=True)
class StatusJob(Job[documents.Status]):
    """See `Service.status`."""

    async def run(self, service: Service, deadline: float) -> documents.Status:
        return await service.status()


class OwnerKey(NamedTuple):
    """A file of a repository."""

    repository: str
    path: str


@dataclass(frozen=True, slots=True)
class OwnersJob(Job[list[list[str]]]):
    """Who owns each of these files: handles or names, sorted; one pass over the rules a repository."""

    keys: tuple[OwnerKey, ...]

    async def run(self, service: Service, deadline: float) -> list[list[str]]:
        found: dict[OwnerKey, list[str]] = {}
        for repository in {key.repository for key in self.keys}:
            head = await service.arrays(await service.choose(repository))
            paths = {key.path for key in self.keys if key.repository == repository}
            owned = owners_of(head, paths)
            found.update((OwnerKey(repository, path), owners) for path, owners in owned.items())
        return [found[key] for key in self.keys]


@dataclass(frozen=True, slots=True)
class ReceiveJob(Job[documents.Received]):
    """See `selection.receive`. It writes: it is not to be begun again."""

    repository: str
    data: bytes

    async def run(self, service: Service, deadline: float) -> documents.Received:
        return await selection.receive(service, self.repository, self.data)
