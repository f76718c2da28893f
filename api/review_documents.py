"""The document of `maestro reviewers`: part of docs/json.md like those of `api.documents`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.documents import Document, Step


class Person(Struct, frozen=True, kw_only=True):
    """Somebody, as commits name them."""

    key: Annotated[str, Meta(description="Key of the Owner node.")]
    name: Annotated[str, Meta(description="Name, or what else they are known by.")]
    address: Annotated[str, Meta(description="Address, or handle.")] = ""


class Behind(Struct, frozen=True, kw_only=True):
    """A reason to ask somebody, with the path of facts that it stands on."""

    kind: Annotated[
        str,
        Meta(
            description="knows symbol, reviewed author, reviewed file, wrote file, reviewed folder, "
            "wrote folder, reviewed by author, reviews much."
        ),
    ]
    sentence: Annotated[str, Meta(description="The reason in plain words.")]
    commits: Annotated[int, Meta(description="Commits that say so.")]
    newest: Annotated[str, Meta(description="The newest of them.")]
    at: Annotated[int, Meta(description="When that was, in Unix seconds.")]
    how: Annotated[
        str, Meta(description="How that review is known: trailer, export, merge; empty for authors.")
    ] = ""
    path: Annotated[
        tuple[Step, ...], Meta(description="From the change, by the newest commit, to the person.")
    ] = ()


class Advice(Struct, frozen=True, kw_only=True):
    """Somebody worth asking."""

    person: Annotated[Person, Meta(description="Who.")]
    score: Annotated[float, Meta(description="Share of the confidence, 0 to 1, over all candidates.")]
    chance: Annotated[float, Meta(description="What habits say: the chance that they would be asked.")]
    expertise: Annotated[float, Meta(description="Share of the commits behind the cone's symbols.")]
    spread: Annotated[int, Meta(description="Place in the order that spreads work and knowledge, from 1.")]
    reviews: Annotated[int, Meta(description="Reviews they did in the 30 days before.")]
    waiting: Annotated[int, Meta(description="Open changes that wait for them, where an export says so.")]
    last: Annotated[int, Meta(description="When they last wrote or reviewed, in Unix seconds.")]
    reasons: Annotated[tuple[Behind, ...], Meta(description="The most telling first.")] = ()


class Passed(Struct, frozen=True, kw_only=True):
    """Somebody who would be asked, were they not away."""

    person: Annotated[Person, Meta(description="Who.")]
    score: Annotated[float, Meta(description="As if they were there.")]
    why: Annotated[str, Meta(description="Away, as somebody said, or inactive, as their commits suggest.")]
    inferred: Annotated[bool, Meta(description="Whether that is only inferred.")]


class Demanded(Struct, frozen=True, kw_only=True):
    """Approval that a rule of CODEOWNERS demands: an obligation, not advice."""

    owners: Annotated[tuple[str, ...], Meta(description="Any of them, as the rule names them.")]
    files: Annotated[tuple[str, ...], Meta(description="Changed files under the rule.")]
    rule: Annotated[str, Meta(description="Its pattern.")]
    file: Annotated[str, Meta(description="The CODEOWNERS file.")]
    line: Annotated[int, Meta(description="Its line there.")]
    section: Annotated[str, Meta(description="Its section, where it has one.")] = ""
    approvals: Annotated[int, Meta(description="Approvals needed; 0: optional.")] = 1


class Risk(Struct, frozen=True, kw_only=True):
    """A changed file that one person alone knows, or nobody: its author apart."""

    path: Annotated[str, Meta(description="The file.")]
    known_to: Annotated[tuple[Person, ...], Meta(description="Who touched or reviewed it in two years.")] = ()


class Basis(Struct, frozen=True, kw_only=True):
    """What the order stands on."""

    method: Annotated[str, Meta(description="`model`, learned from this repository's past, or `rule`.")]
    commits: Annotated[int, Meta(description="Commits of the history that were looked at.")]
    reviews: Annotated[int, Meta(description="Those of them with a known reviewer.")]
    examples: Annotated[int, Meta(description="Reviewed commits that the model was learned from.")] = 0
    learned: Annotated[str, Meta(description="Newest commit that the model was learned from.")] = ""
    symbols: Annotated[int, Meta(description="Symbols of the cone whose commits were found.")] = 0


class Reviewers(Document, frozen=True, kw_only=True):
    """Who is worth asking to review a change, who must be asked, and why (`maestro reviewers`)."""

    SHAPE = "reviewers"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    asked: Annotated[str, Meta(description="The question as it was put.")]
    base: Annotated[str, Meta(description="Commit of the base side; empty for a first commit.")] = ""
    head: Annotated[str, Meta(description="Commit of the head side; empty for a diff's result.")] = ""
    run: Annotated[int, Meta(description="Run of the index's history that this was computed at.")]
    indexed: Annotated[str, Meta(description="Commit that is indexed at that run.")]
    at: Annotated[int, Meta(description="The moment it is judged at: what came later says nothing.")]
    authors: Annotated[tuple[Person, ...], Meta(description="Who made the change; never advised.")] = ()
    files: Annotated[tuple[str, ...], Meta(description="What it touches.")] = ()
    basis: Annotated[Basis, Meta(description="What the order stands on.")]
    reviewers: Annotated[
        tuple[Advice, ...], Meta(description="Advice, best first, or in the order that spreads.")
    ] = ()
    more: Annotated[int, Meta(description="Candidates beyond those listed.")] = 0
    absent: Annotated[tuple[Passed, ...], Meta(description="Who is passed over, and why.")] = ()
    obligations: Annotated[tuple[Demanded, ...], Meta(description="Whose approval the rules demand.")] = ()
    at_risk: Annotated[tuple[Risk, ...], Meta(description="Changed files that too few know.")] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What else is worth knowing.")] = ()
    seconds: Annotated[float, Meta(description="How long it took.")] = 0.0
