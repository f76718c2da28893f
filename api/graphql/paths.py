"""How one symbol comes to depend on another."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api import documents
from api.graphql.context import Request
from api.graphql.nodes import AsOf, Head, Node, Repository, Step, nodes_of
from api.jobs import PathsJob
from api.questions import DEPTH
from graph.errors import InputError
from graph.schema import DEFAULT_TIER, Tier

COUNT_LIMIT = 100


@strawberry.type(description="One proof.")
class ProofPath:
    tier: Tier = strawberry.field(description="That of its weakest edge.")
    steps: list[Step] = strawberry.field(description="From the source to the target.")


@strawberry.type(description="The shortest proofs between two symbols.")
class Paths:
    head: Head = strawberry.field(description="What this was computed at.")
    source: Node = strawberry.field(description="The first symbol that was named.")
    target: Node = strawberry.field(description="The second.")
    direction: str = strawberry.field(
        description="`depends`: source depends on target; `reaches`: the other way round; `none`."
    )
    complete: bool = strawberry.field(description="Whether there are no more.")
    paths: list[ProofPath] = strawberry.field(description="Surest first, then shortest.")

    @classmethod
    def of(cls, found: documents.Paths) -> Paths:
        """Paths from their document."""
        node = nodes_of(found.repository)
        return cls(
            head=Head(run=found.run, commit=found.commit, at=found.at),
            source=node(found.source),
            target=node(found.target),
            direction=found.direction,
            complete=found.complete,
            paths=[
                ProofPath(tier=Tier(path.tier), steps=[Step.of(step, node) for step in path.steps])
                for path in found.paths
            ],
        )


async def resolve_path(
    info: Request,
    start: Annotated[str, strawberry.argument(name="from", description="The one that depends.")],
    end: Annotated[str, strawberry.argument(name="to", description="What it may depend on.")],
    repository: Repository = "",
    count: Annotated[int, strawberry.argument(description="Paths at most, 1 to 100.")] = 3,
    tier: Annotated[Tier, strawberry.argument(description="Weakest tier that is followed.")] = DEFAULT_TIER,
    depth: Annotated[int, strawberry.argument(description="Steps at most, 1 to 100.")] = DEPTH,
    as_of: AsOf = "",
) -> Paths:
    """The shortest proof paths from one symbol to another."""
    if not 1 <= count <= COUNT_LIMIT:
        raise InputError(f"{count} paths cannot be asked for.", f"Ask for 1 to {COUNT_LIMIT}.")
    job = PathsJob(start, end, repository, count, tier, depth, as_of)
    return Paths.of(await info.context.answer(job))
