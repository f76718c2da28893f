"""Who should review a change, on the same input as `impact`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from api import review_documents as documents
from api import reviewing
from api.documents import Symbol
from api.graphql.context import Request
from api.graphql.nodes import Head, Node, Repository, Step, nodes_of
from api.graphql.tests import change_question
from api.jobs import ReviewersJob


@strawberry.type(description="Somebody, as commits name them.")
class Person:
    key: strawberry.ID = strawberry.field(description="Key of the Owner node.")
    name: str = strawberry.field(description="Name, or what else they are known by.")
    address: str = strawberry.field(description="Address, or handle.")

    @classmethod
    def of(cls, found: documents.Person) -> Person:
        """Somebody from their document."""
        return cls(key=strawberry.ID(found.key), name=found.name, address=found.address)


@strawberry.type(description="A reason to ask somebody, with the path of facts that it stands on.")
class ReviewReason:
    kind: str = strawberry.field(description="Such as `knows symbol`, `reviewed author` or `wrote file`.")
    sentence: str = strawberry.field(description="The reason in plain words.")
    commits: int = strawberry.field(description="Commits that say so.")
    newest: str = strawberry.field(description="The newest of them.")
    at: int = strawberry.field(description="When that was, in Unix seconds.")
    how: str = strawberry.field(description="How that review is known: trailer, export, merge; else empty.")
    path: list[Step] = strawberry.field(description="From the change, by the newest commit, to the person.")


@strawberry.type(description="Somebody worth asking.")
class Reviewer:
    person: Person = strawberry.field(description="Who.")
    score: float = strawberry.field(description="Share of the confidence, 0 to 1, over all candidates.")
    chance: float = strawberry.field(description="What habits say: the chance that they would be asked.")
    expertise: float = strawberry.field(description="Share of the commits behind the cone's symbols.")
    spread: int = strawberry.field(description="Place in the order that spreads work and knowledge, from 1.")
    reviews: int = strawberry.field(description="Reviews they did in the 30 days before.")
    waiting: int = strawberry.field(description="Open changes that wait for them, where an export says so.")
    last: int = strawberry.field(description="When they last wrote or reviewed, in Unix seconds.")
    reasons: list[ReviewReason] = strawberry.field(description="The most telling first.")


@strawberry.type(description="Somebody who would be asked, were they not away.")
class PassedOver:
    person: Person = strawberry.field(description="Who.")
    score: float = strawberry.field(description="As if they were there.")
    why: str = strawberry.field(description="Away, as somebody said, or inactive, as their commits suggest.")
    inferred: bool = strawberry.field(description="Whether that is only inferred.")


@strawberry.type(description="Approval that a rule of CODEOWNERS demands: an obligation, not advice.")
class Obligation:
    owners: list[str] = strawberry.field(description="Any of them, as the rule names them.")
    files: list[str] = strawberry.field(description="Changed files under the rule.")
    rule: str = strawberry.field(description="Its pattern.")
    file: str = strawberry.field(description="The CODEOWNERS file.")
    line: int = strawberry.field(description="Its line there.")
    section: str = strawberry.field(description="Its section, where it has one.")
    approvals: int = strawberry.field(description="Approvals needed; 0: optional.")


@strawberry.type(description="A changed file that one person alone knows, or nobody: its author apart.")
class FileAtRisk:
    path: str = strawberry.field(description="The file.")
    known_to: list[Person] = strawberry.field(description="Who touched or reviewed it in two years.")


@strawberry.type(description="What an order of reviewers stands on.")
class ReviewBasis:
    method: str = strawberry.field(description="`model`, learned from this repository's past, or `rule`.")
    commits: int = strawberry.field(description="Commits of the history that were looked at.")
    reviews: int = strawberry.field(description="Those of them with a known reviewer.")
    examples: int = strawberry.field(description="Reviewed commits that the model was learned from.")
    symbols: int = strawberry.field(description="Symbols of the cone whose commits were found.")


@strawberry.type(description="Who is worth asking to review a change, who must be asked, and why.")
class Reviewers:
    head: Head = strawberry.field(description="What this was computed at.")
    repository: str = strawberry.field(description="The repository.")
    base_commit: str = strawberry.field(description="Commit of the base side; empty where there is none.")
    head_commit: str = strawberry.field(description="Commit of the head side; empty where there is none.")
    at: int = strawberry.field(description="The moment it is judged at: what came later says nothing.")
    authors: list[Person] = strawberry.field(description="Who made the change; never advised.")
    basis: ReviewBasis = strawberry.field(description="What the order stands on.")
    reviewers: list[Reviewer] = strawberry.field(description="Advice, best first.")
    more: int = strawberry.field(description="Candidates beyond those listed.")
    absent: list[PassedOver] = strawberry.field(description="Who is passed over, and why.")
    obligations: list[Obligation] = strawberry.field(description="Whose approval the rules demand.")
    at_risk: list[FileAtRisk] = strawberry.field(description="Changed files that too few know.")
    notes: list[str] = strawberry.field(description="What else is worth knowing.")

    @classmethod
    def of(cls, found: documents.Reviewers) -> Reviewers:
        """Advice from its document."""
        basis, node = found.basis, nodes_of(found.repository)
        return cls(
            head=Head(run=found.run, commit=found.indexed),
            repository=found.repository,
            base_commit=found.base,
            head_commit=found.head,
            at=found.at,
            authors=[Person.of(each) for each in found.authors],
            basis=ReviewBasis(
                method=basis.method,
                commits=basis.commits,
                reviews=basis.reviews,
                examples=basis.examples,
                symbols=basis.symbols,
            ),
            reviewers=[_reviewer(each, node) for each in found.reviewers],
            more=found.more,
            absent=[
                PassedOver(
                    person=Person.of(each.person), score=each.score, why=each.why, inferred=each.inferred
                )
                for each in found.absent
            ],
            obligations=[
                Obligation(
                    owners=list(each.owners),
                    files=list(each.files),
                    rule=each.rule,
                    file=each.file,
                    line=each.line,
                    section=each.section,
                    approvals=each.approvals,
                )
                for each in found.obligations
            ],
            at_risk=[
                FileAtRisk(path=each.path, known_to=[Person.of(who) for who in each.known_to])
                for each in found.at_risk
            ],
            notes=list(found.notes),
        )


def _reviewer(each: documents.Advice, node: Callable[[Symbol], Node]) -> Reviewer:
    return Reviewer(
        person=Person.of(each.person),
        score=each.score,
        chance=each.chance,
        expertise=each.expertise,
        spread=each.spread,
        reviews=each.reviews,
        waiting=each.waiting,
        last=each.last,
        reasons=[
            ReviewReason(
                kind=reason.kind,
                sentence=reason.sentence,
                commits=reason.commits,
                newest=reason.newest,
                at=reason.at,
                how=reason.how,
                path=[Step.of(step, node) for step in reason.path],
            )
            for reason in each.reasons
        ],
    )


async def resolve_reviewers(
    info: Request,
    repository: Repository = "",
    revisions: Annotated[
        str | None, strawberry.argument(name="range", description="`A..B`, `A...B`, or one commit.")
    ] = None,
    diff: Annotated[str | None, strawberry.argument(description="A unified diff instead.")] = None,
    rev: Annotated[str, strawberry.argument(description="The revision that the diff was made on.")] = "HEAD",
    author: Annotated[
        str, strawberry.argument(description="Who made it, where no commit says: address, @handle or name.")
    ] = "",
    count: Annotated[int, strawberry.argument(description="How many to name, 1 to 100.")] = reviewing.COUNT,
    spread: Annotated[
        bool, strawberry.argument(description="In the order that spreads the work and what one alone knows.")
    ] = False,
) -> Reviewers:
    """Who should review a change. Exactly one of range and diff is given."""
    question = change_question(repository, revisions, diff, rev)
    place = info.context.settings.absences
    asking = reviewing.Asking(author, reviewing.read_absences(place) if place else (), count, spread)
    return Reviewers.of(await info.context.answer(ReviewersJob(question, asking)))
