"""What a request has at hand: who answers, loaders, and when it must be done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from api.jobs import Answering, Job, OwnerKey, OwnersJob
from api.settings import Settings

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """One request's surroundings."""

    answering: Answering
    deadline: float
    """Value of `time.monotonic` at which the request gives up."""
    owners: DataLoader[OwnerKey, list[str]] = field(init=False)
    """What hangs off many parents is asked for once a request."""

    def __post_init__(self) -> None:
        async def load(keys: list[OwnerKey]) -> list[list[str]]:
            return await self.answer(OwnersJob(tuple(keys)))

        self.owners = DataLoader(load_fn=load)

    @property
    def settings(self) -> Settings:
        """Those of who answers."""
        return self.answering.settings

    @property
    def ends(self) -> float:
        """The deadline on the event loop's clock."""
        return anyio.current_time() + self.deadline - time.monotonic()

    async def answer(self, job: Job[T]) -> T:
        """What came of a job, by the request's deadline."""
        return await self.answering.answer(job, self.deadline)


def begin(answering: Answering) -> Context:
    """The context of a request that arrives now."""
    return Context(answering, time.monotonic() + answering.settings.deadline)


Request = Info[Context, Any]
