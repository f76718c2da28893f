"""What a change or a symbol reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from api import documents
from api.graphql.context import Request
from api.graphql.nodes import AsOf, Head, Node, Repository, Step, nodes_of
from api.jobs import ImpactJob
from api.questions import DEPTH, Direction, Question, Subject
from api.sharing import once
from graph.errors import InputError
from graph.schema import DEFAULT_TIER, Tier

strawberry.enum(Direction, description="Up: what depends on it. Down: what it depends on.")
LIMIT = 1_000
LIMIT_MOST = 100_000


@strawberry.type(description="A symbol that a cone starts from, and why.")
class Changed:
    node: Node = strawberry.field(description="The symbol.")
    reasons: list[str] = strawberry.field(description="What about it changed, in plain words.")
    side: str = strawberry.field(description="Which side holds it: both, base (deleted), head (added).")


@strawberry.type(description="A node that a change reaches, with the path that proves it.")
class Reached:
    node: Node = strawberry.field(description="What is reached.")
    distance: int = strawberry.field(description="Steps from the change, at the strongest tier.")
    tier: Tier = strawberry.field(description="Weakest edge of the proof, which is the best there is.")
    proof: list[Step] = strawberry.field(description="The path from a changed symbol to this one.")


@strawberry.type(description="How many at a tier.")
class TierCount:
    tier: Tier = strawberry.field(description="The tier.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="A file that differs but from which nothing starts.")
class Unread:
    path: str = strawberry.field(description="The file.")
    reason: str = strawberry.field(description="Why.")


@strawberry.type(description="An owner of what a change touches or reaches.")
class Owning:
    owner: str = strawberry.field(description="Handle, address or name.")
    changed: int = strawberry.field(description="Changed files that are theirs.")
    reached: int = strawberry.field(description="Other reached files that are theirs.")
    symbols: int = strawberry.field(description="Changed and reached symbols and tests in them.")


@strawberry.type(description="A node that much depends on, at which the cone stopped by rule.")
class Hub:
    node: Node = strawberry.field(description="The hub.")
    dependents: int = strawberry.field(description="Edges that were not followed from here.")


@strawberry.type(description="What a change, a symbol or a line reaches.")
class Impact:
    head: Head = strawberry.field(description="What this was computed at.")
    repository: str = strawberry.field(description="The repository.")
    base_commit: str = strawberry.field(description="Commit of the base side; empty where there is none.")
    head_commit: str = strawberry.field(description="Commit of the head side; empty where there is none.")
    base_derived: str = strawberry.field(description="How the base was had: indexed, kept or resolved.")
    head_derived: str = strawberry.field(description="How the head was had: indexed, kept or resolved.")
    changed: list[Changed] = strawberry.field(description="Where the cone starts.")
    silent: list[Unread] = strawberry.field(description="Files that differ without changing what runs.")
    reached: list[Reached] = strawberry.field(description="All but tests, by distance, tier and place.")
    tests: list[Reached] = strawberry.field(description="The tests that are reached, in the same order.")
    truncated: bool = strawberry.field(description="Whether the limit left something out of the two lists.")
    edges: list[TierCount] = strawberry.field(description="Edges that were followed, by tier.")
    possible: list[TierCount] = strawberry.field(description="Nodes that only weaker tiers reach.")
    unfollowed: int = strawberry.field(description="References in these symbols that could not be followed.")
    owners: list[Owning] = strawberry.field(description="Who answers for the files, most symbols first.")
    unowned: int = strawberry.field(description="Changed and reached files that nobody owns.")
    hubs: list[Hub] = strawberry.field(description="Where the cone stopped by rule.")
    notes: list[str] = strawberry.field(description="What else is worth knowing.")

    @classmethod
    def of(cls, found: documents.Impact) -> Impact:
        """An impact from its document."""
        here = found.repository
        node = nodes_of(here)
        step: Callable[[documents.Step], Step] = once(lambda each: Step.of(each, node))
        return cls(
            head=Head(run=found.run, commit=found.indexed, at=found.at),
            repository=here,
            base_commit=found.base,
            head_commit=found.head,
            base_derived=found.derived[0],
            head_derived=found.derived[1],
            changed=[
                Changed(node=node(each.symbol), reasons=list(each.reasons), side=each.side)
                for each in found.changed
            ],
            silent=[Unread(path=each.path, reason=each.reason) for each in found.silent],
            reached=[_reached(each, node, step) for each in found.reached],
            tests=[_reached(each, node, step) for each in found.tests],
            truncated=found.truncated,
            edges=_counts(found.edges),
            possible=_counts(found.possible),
            unfollowed=found.unfollowed,
            owners=[
                Owning(owner=each.owner, changed=each.changed, reached=each.reached, symbols=each.symbols)
                for each in found.owners
            ],
            unowned=found.unowned,
            hubs=[Hub(node=node(each.symbol), dependents=each.dependents) for each in found.hubs],
            notes=list(found.notes),
        )


def _reached(
    entry: documents.Reached,
    node: Callable[[documents.Symbol], Node],
    step: Callable[[documents.Step], Step],
) -> Reached:
    return Reached(
        node=node(entry.symbol),
        distance=entry.distance,
        tier=Tier(entry.tier),
        proof=[step(each) for each in entry.proof],
    )


def _counts(counts: dict[str, int]) -> list[TierCount]:
    return [TierCount(tier=Tier(tier), count=count) for tier, count in counts.items()]


async def resolve_impact(
    info: Request,
    repository: Repository = "",
    revisions: Annotated[
        str | None, strawberry.argument(name="range", description="`A..B`, `A...B`, or one commit.")
    ] = None,
    diff: Annotated[str | None, strawberry.argument(description="A unified diff instead.")] = None,
    rev: Annotated[str, strawberry.argument(description="The revision that the diff was made on.")] = "HEAD",
    symbol: Annotated[
        str | None, strawberry.argument(description="A symbol instead, by name or key.")
    ] = None,
    line: Annotated[str | None, strawberry.argument(description="A line instead, as `FILE:LINE`.")] = None,
    tier: Annotated[Tier, strawberry.argument(description="Weakest tier that is followed.")] = DEFAULT_TIER,
    depth: Annotated[int, strawberry.argument(description="Steps at most, 1 to 100.")] = DEPTH,
    direction: Annotated[Direction, strawberry.argument(description="Which way to go.")] = Direction.UP,
    limit: Annotated[
        int, strawberry.argument(description="Items listed of each list; all are counted.")
    ] = LIMIT,
    as_of: AsOf = "",
) -> Impact:
    """What a change, a symbol or a line reaches. Exactly one of range, diff, symbol and line is given."""
    subject, asked, data = _subject(revisions, diff, rev, symbol, line)
    question = Question(subject, asked, data, repository, tier, depth, direction, as_of)
    if not 1 <= limit <= LIMIT_MOST:
        raise InputError(f"A limit of {limit} cannot be used.", f"Give one from 1 to {LIMIT_MOST}.")
    return Impact.of(await info.context.answer(ImpactJob(question, limit)))


def _subject(
    revisions: str | None, diff: str | None, rev: str, symbol: str | None, line: str | None
) -> tuple[Subject, str, bytes]:
    given = [value for value in (revisions, diff, symbol, line) if value is not None]
    if len(given) != 1:
        raise InputError(
            f"{len(given) or 'None'} of range, diff, symbol and line were given.", "Give exactly one of them."
        )
    if diff is not None:
        return Subject.DIFF, rev, diff.encode("utf-8", "surrogatepass")
    if revisions is not None:
        return Subject.REVISIONS, revisions, b""
    if line is not None and not line.rpartition(":")[2].isdecimal():
        raise InputError(f"{line!r} is no line.", "Write it as FILE:LINE.")
    return Subject.SYMBOL, given[0], b""
