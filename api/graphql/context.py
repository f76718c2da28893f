"""What resolvers may use: the service, a deadline, and loaders that gather questions of one request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import anyio
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from api.graphql.loaders import OwnerKey, load_owners
from api.service import Service
from graph.errors import DeadlineError
from graph.progress import Progress


@dataclass(slots=True)
class Context:
    """One request's surroundings."""

    service: Service
    deadline: float
    """Value of `time.monotonic` at which the request gives up."""
    owners: DataLoader[OwnerKey, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        async def load(keys: list[OwnerKey]) -> list[list[str]]:
            return await load_owners(self.service, keys)

        self.owners = DataLoader(load_fn=load)

    @property
    def ends(self) -> float:
        """The deadline on the event loop's clock."""
        return anyio.current_time() + self.deadline - time.monotonic()

    def watch(self) -> Progress:
        """Progress that ends work which is late."""

        def progress(phase: str, done: int, total: int) -> None:
            if time.monotonic() > self.deadline:
                raise DeadlineError(
                    f"The question took longer than it may ({phase}).",
                    "Index the revisions it needs first, or raise MAESTRO_DEADLINE.",
                )

        return progress


def begin(service: Service) -> Context:
    """The context of a request that arrives now."""
    return Context(service, time.monotonic() + service.settings.deadline)


Request = Info[Context, Any]
