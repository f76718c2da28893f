"""Nodes of the hypergraph, and finding them by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import strawberry

from api import documents
from api.graphql.context import Request
from api.jobs import NodeJob, OwnerKey, SearchJob
from api.sharing import once
from graph.schema import EdgeKind, NodeKind, Sort, Tier

strawberry.enum(NodeKind, description="What a node is.")
strawberry.enum(EdgeKind, description="What a hyperedge says.")
strawberry.enum(Tier, description="How sure a dependency is, surest first.")
strawberry.enum(Sort, description="What a symbol is.")

Named = Annotated[
    str, strawberry.argument(description="`FILE:LINE`, `FILE`, `FILE::qualified.name`, a name or a key.")
]
Repository = Annotated[
    str, strawberry.argument(description="Which repository; may be left out where there is only one.")
]


AsOf = Annotated[
    str,
    strawberry.argument(
        description="As it was then: a date or time (ISO 8601), or a revision that was indexed; else today."
    ),
]


@strawberry.type(description="The run of the index that an answer was computed at.")
class Head:
    run: int = strawberry.field(description="Number of the run.")
    commit: str = strawberry.field(description="Commit that is indexed at that run.")
    at: str = strawberry.field(
        default="", description="When it became the head, where an earlier one was asked for; else empty."
    )


async def resolve_owners(root: strawberry.Parent[Any], info: Request) -> list[str]:
    """Who owns a node's file; all nodes of an answer are asked about together."""
    if not root.path:
        return []
    return await info.context.owners.load(OwnerKey(root.repository, root.path))


@strawberry.type(description="A node: a symbol, test, file or owner.")
class Node:
    key: strawberry.ID = strawberry.field(description="Stable between runs.")
    kind: NodeKind = strawberry.field(description="What it is.")
    sort: Sort | None = strawberry.field(description="What a symbol is; null for other nodes.")
    name: str = strawberry.field(description="Qualified name; the runner's id for a test.")
    path: str = strawberry.field(description="File, from the repository's root; empty where there is none.")
    line: int | None = strawberry.field(description="Line of its definition, from 1.")
    repository: strawberry.Private[str]

    owners: list[str] = strawberry.field(
        resolver=resolve_owners, description="Who owns its file, by the rules of CODEOWNERS."
    )

    @classmethod
    def of(cls, symbol: documents.Symbol, repository: str) -> Node:
        """A node from its document."""
        return cls(
            key=strawberry.ID(symbol.key),
            kind=NodeKind(symbol.kind),
            sort=Sort(symbol.sort) if symbol.sort else None,
            name=symbol.name,
            path=symbol.path,
            line=symbol.line or None,
            repository=repository,
        )


def nodes_of(repository: str) -> Callable[[documents.Symbol], Node]:
    """Makes nodes of one answer's documents, of equal ones the same."""
    return once(lambda symbol: Node.of(symbol, repository))


@strawberry.type(description="One edge of a proof: `source` leads to `target`.")
class Step:
    source: Node = strawberry.field(description="Where the step begins.")
    target: Node = strawberry.field(description="Where it leads.")
    edge: EdgeKind = strawberry.field(description="Kind of the hyperedge.")
    tier: Tier = strawberry.field(description="How sure it is.")
    form: str = strawberry.field(description="How a call is written; empty for other kinds.")
    path: str = strawberry.field(description="File in which it is written.")
    line: int | None = strawberry.field(description="Line on which it is written.")
    side: str = strawberry.field(description="Which side of the change says it: both, base, head.")

    @classmethod
    def of(cls, step: documents.Step, node: Callable[[documents.Symbol], Node]) -> Step:
        """A step from its document; `node` makes its ends, see `nodes_of`."""
        return cls(
            source=node(step.source),
            target=node(step.target),
            edge=EdgeKind(step.edge),
            tier=Tier(step.tier),
            form=step.form,
            path=step.path,
            line=step.line or None,
            side=step.side,
        )


@strawberry.type(description="The nodes that a name, key or line means.")
class Nodes:
    head: Head = strawberry.field(description="What this was computed at.")
    nodes: list[Node] = strawberry.field(description="Several where definitions share a name.")


@strawberry.type(description="Nodes whose name fits.")
class Search:
    head: Head = strawberry.field(description="What this was computed at.")
    more: bool = strawberry.field(description="Whether the limit left something out.")
    nodes: list[Node] = strawberry.field(description="Best fit first.")


async def resolve_node(info: Request, name: Named, repository: Repository = "") -> Nodes:
    """The nodes meant by a name, a key or a line."""
    found = await info.context.answer(NodeJob(name, repository))
    return Nodes(
        head=Head(run=found.run, commit=found.commit),
        nodes=[Node.of(each, found.repository) for each in found.results],
    )


async def resolve_search(
    info: Request,
    query: Annotated[str, strawberry.argument(description="A name, its beginning or a part of it.")],
    repository: Repository = "",
    limit: Annotated[int, strawberry.argument(description="Results at most, 1 to 1000.")] = 20,
    as_of: AsOf = "",
) -> Search:
    """Nodes by name, best fit first."""
    size = max(1, min(limit, 1000))
    found = await info.context.answer(SearchJob(query, repository, size, as_of))
    return Search(
        head=Head(run=found.run, commit=found.commit, at=found.at),
        more=found.more,
        nodes=[Node.of(each, found.repository) for each in found.results],
    )
