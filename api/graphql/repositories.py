"""The repositories in the store."""

from __future__ import annotations

import strawberry

from api.graphql.context import Request
from api.graphql.nodes import Head
from api.jobs import StatusJob


@strawberry.type(description="A repository that is indexed.")
class IndexedRepository:
    name: str = strawberry.field(description="What it is called here.")
    head: Head = strawberry.field(description="Where its index stands.")
    nodes: int = strawberry.field(description="Nodes at that run.")
    edges: int = strawberry.field(description="Hyperedges at that run.")


async def resolve_repositories(info: Request) -> list[IndexedRepository]:
    """Every repository in the store, by name."""
    status = await info.context.answer(StatusJob())
    return [
        IndexedRepository(
            name=each.name,
            head=Head(run=each.run, commit=each.commit),
            nodes=each.nodes,
            edges=each.edges,
        )
        for each in status.repositories
    ]
