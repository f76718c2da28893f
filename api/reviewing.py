"""Who should review a change: history, what was learned of it, the cone, and what the rules demand."""

from __future__ import annotations

import difflib
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from api import ranking
from api.candidates import Candidates, gather
from api.review_documents import Advice, Basis, Demanded, Passed, Reviewers, Risk
from api.review_reasons import Words, ago, person
from graph import indexing
from graph.changes import Change
from graph.errors import InputError, NotFoundError
from graph.facts import Node, Scope
from graph.incidence import Incidence
from graph.ingest.absences import MAX_ABSENCES, Absence, parse_absences
from graph.ingest.authorship import read_authorship
from graph.ingest.git import EMPTY_TREE, Mirror
from graph.ingest.history import directory_of
from graph.ingest.people import Directory, is_bot
from graph.ingest.reviews import keep_reviews, kept_reviews, parse_export
from graph.judgement import Judgement
from graph.progress import Progress, silent
from graph.queries import reviewers as facts
from graph.queries.contributions import Contributions, Contributor, read_contributions
from graph.queries.expertise import Known, read_expertise

if TYPE_CHECKING:
    from api import questions
    from api.service import Service

COUNT = 5
COUNT_MOST = 100
TRACING = 2.0
"""Seconds that looking for who changed the cone's symbols may take."""
READY = 4
"""Repositories whose contributions are kept in memory."""
_ready: OrderedDict[tuple[Path, Scope, int, str], Contributions] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked beside the change itself."""

    author: str = ""
    absences: tuple[Absence, ...] = ()
    count: int = COUNT
    spread: bool = False
    """Name them in the order that spreads the work, and what one alone knows."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= COUNT_MOST:
            raise InputError(f"{self.count} reviewers cannot be asked for.", f"Ask for 1 to {COUNT_MOST}.")


def read_absences(place: Path) -> tuple[Absence, ...]:
    """Who is away, from a file.

    Raises
    ------
    InputError
        It cannot be read, or a line of it cannot be used.
    """
    try:
        with place.open("rb") as file:
            data = file.read(MAX_ABSENCES + 1)
    except OSError as error:
        raise InputError(
            f"The absences {place} cannot be read: {error.strerror}.", "docs/reviews.md shows the form."
        ) from error
    return parse_absences(data, str(place))


async def advise(
    service: Service,
    question: questions.Question,
    asking: Asking,
    *,
    refresh: bool = True,
    progress: Progress = silent,
) -> Reviewers:
    """Who is worth asking to review a change, who must be asked, and why.

    Raises
    ------
    NotFoundError
        The history of the repository was never read.
    """
    begun = time.monotonic()
    scope = await service.choose(question.repository)
    history = await history_of(service, scope)

    def compute() -> Reviewers:
        mirror = service.mirror(scope, refresh)
        change = service.change(mirror, scope, question)
        judged = service.judge(mirror, change, progress)
        found = advise_on(service, history, mirror, judged, asking, progress)
        return msgspec.structs.replace(found, seconds=time.monotonic() - begun)

    return await service.offload(compute)


def take_in(service: Service, scope: Scope, source: Path, data: bytes) -> None:
    """Keep a forge's export of reviews beside the mirror; indexing then says the history anew.

    Raises
    ------
    InputError
        A line of it cannot be used; nothing is kept then.
    """
    found = parse_export(data)
    service.workspace.prepare(scope)
    mirror = Mirror.refresh(source, service.workspace.mirror(scope))
    keep_reviews(mirror.directory, found)


async def history_of(service: Service, scope: Scope) -> Incidence:
    """The arrays of a repository's history.

    Raises
    ------
    NotFoundError
        It was indexed without its history.
    """
    arrays = await indexing.current_arrays(service.store, service.workspace, scope, "history")
    if arrays is None:
        raise NotFoundError(
            f"The history of {scope.repository} was not read.",
            "Index it again with MAESTRO_HISTORY=on: maestro index PATH",
        )
    return arrays


def contributions_of(service: Service, history: Incidence) -> Contributions:
    """The contributions in the arrays of a history; kept in memory while its head stands."""
    key = service.settings.data, history.scope, history.head, history.commit
    found = _ready.get(key)
    if found is None:
        found = _ready[key] = read_contributions(history)
        while len(_ready) > READY:
            _ready.popitem(last=False)
    return found


def advise_on(
    service: Service,
    history: Incidence,
    mirror: Mirror,
    judged: Judgement,
    asking: Asking,
    progress: Progress = silent,
) -> Reviewers:
    """Advice on a change that is judged already."""
    contributions = contributions_of(service, history)
    change = judged.change
    directory = directory_of(mirror, history.commit, history.scope)
    notes: list[str] = []
    sight, authors = _look(mirror, change, contributions, directory, asking, notes)
    progress("looking for who changed what this reaches", 0, 0)
    known, complete = read_expertise(
        mirror, judged, contributions, sight.visible, sight.own, time.monotonic() + TRACING
    )
    if not complete:
        notes.append("Of some symbols not all commits were looked at: their files are long or change often.")
    learned = ranking.learned(service.workspace, history.scope, contributions, progress)
    candidates = gather(sight, known, learned)
    standing = facts.read_standing(sight)
    passed = _passed(candidates, sight, standing, asking.absences, notes)
    risks = facts.read_risks(sight)
    present = candidates.without(passed)
    if not present.score:
        notes.append("The history names nobody else who could be asked.")
    waiting = _waiting(mirror, contributions, directory)
    return Reviewers(
        repository=history.scope.repository,
        asked=change.asked,
        base=change.base.commit,
        head=change.head.commit,
        run=history.head,
        indexed=history.commit,
        at=sight.at,
        authors=tuple(person(each) for each in authors),
        files=change.paths,
        basis=_basis(sight, learned, known),
        reviewers=_advice(history.scope, sight, known, present, standing, waiting, risks, asking),
        more=max(0, len(present.score) - asking.count),
        absent=tuple(
            Passed(
                person=person(contributions.people[who]),
                score=round(candidates.score[who], 4),
                why=why,
                inferred=inferred,
            )
            for who, (why, inferred) in passed.items()
        ),
        obligations=_obligations(mirror, change),
        at_risk=tuple(
            Risk(path=path, known_to=tuple(person(contributions.people[who]) for who in sorted(knows)))
            for path, knows in risks.items()
        ),
        notes=tuple(notes),
    )


def _advice(
    scope: Scope,
    sight: facts.Sight,
    known: Sequence[Known],
    present: Candidates,
    standing: Mapping[int, facts.Standing],
    waiting: Counter[int],
    risks: Mapping[str, set[int]],
    asking: Asking,
) -> tuple[Advice, ...]:
    reasons = facts.Reasons(sight, known)
    words = Words(scope, sight.contributions, sight.at)
    spread = present.spread(risks, len(sight.files))
    nobody = facts.Standing(0, 0)
    order = sorted(present.score, key=spread.__getitem__) if asking.spread else list(present.score)
    return tuple(
        Advice(
            person=person(sight.contributions.people[who]),
            score=round(present.score[who], 4),
            chance=round(present.chance.get(who, 0.0), 4),
            expertise=round(present.expertise.get(who, 0.0), 4),
            spread=spread[who],
            reviews=standing.get(who, nobody).reviews,
            waiting=waiting[who],
            last=standing.get(who, nobody).last,
            reasons=tuple(words.behind(who, reason) for reason in reasons.of(who)),
        )
        for who in order[: asking.count]
    )


def _passed(
    candidates: Candidates,
    sight: facts.Sight,
    standing: Mapping[int, facts.Standing],
    absences: Sequence[Absence],
    notes: list[str],
) -> dict[int, tuple[str, bool]]:
    """Candidates who are not to be asked now: why, and whether that is only inferred."""
    passed: dict[int, tuple[str, bool]] = {}
    for absence in absences:
        people = sight.contributions.called(absence.person)
        if not people:
            notes.append(f"{absence.person} is said to be away, and is nobody in this history.")
        if absence.covers(sight.asked):
            passed |= {who: (absence.why or "away, as the file of absences says", False) for who in people}
    for who in candidates.score:
        last = standing[who].last if who in standing else 0
        if who not in passed and sight.at - last > facts.AWAY:
            passed[who] = f"nothing written or reviewed since {ago(sight.at - last)}", True
    return {who: passed[who] for who in candidates.score if who in passed}


def _waiting(mirror: Mirror, contributions: Contributions, directory: Directory) -> Counter[int]:
    """Open changes that wait for each person, as the last export had them."""
    counts: Counter[int] = Counter()
    for change in kept_reviews(mirror.directory)[0].waiting:
        for each in change.reviewers:
            place = contributions.places.get(directory.owner(each).key)
            counts.update([place] if place is not None else contributions.called(each.email))
    return counts


def _basis(sight: facts.Sight, learned: ranking.Learned, known: Sequence[Known]) -> Basis:
    seen = [commit for _, commit in sight.commits(sight.visible)]
    return Basis(
        method="rule" if learned.booster is None else "model",
        commits=len(seen),
        reviews=sum(1 for commit in seen if commit.reviewers),
        examples=learned.examples,
        learned=learned.commit,
        symbols=len(known),
    )


def _look(
    mirror: Mirror,
    change: Change,
    contributions: Contributions,
    directory: Directory,
    asking: Asking,
    notes: list[str],
) -> tuple[facts.Sight, list[Contributor]]:
    """What may be looked at, and who made the change."""
    head = change.head.commit or change.base.commit
    own: frozenset[str] = frozenset()
    named = []
    if change.head.commit:
        made = read_authorship(mirror, change.base.commit, change.head.commit)
        own = frozenset(made.commits)
        named = [directory.owner(each) for each in made.authors if not is_bot(each)]
        if not made.complete:
            notes.append(
                f"The change has more than {len(own):,} commits; authors of older ones are not known."
            )
    authors = [_contributor(node) for node in named]
    if asking.author:
        authors = _named(asking.author, contributions)
    if not authors:
        notes.append("Nobody knows who made this change: name them (--author), or they may be advised.")
    newest = contributions.commits[-1].at if contributions.commits else 0
    at = mirror.commit(head).at if head else newest
    asked = float(at)
    if head not in contributions.by_id or not change.head.commit or at >= newest:
        # It is new: it is asked about now, as far as the index knows.
        at = max(at, newest)
        asked = max(at, time.time())
    places = [contributions.places.get(each.key, -1) for each in authors]
    # Nobody is advised to review their own change, under an address that no .mailmap knows either.
    everybody = {*places, *(place for each in authors for place in contributions.called(each.name))}
    sight = facts.Sight(
        contributions,
        at,
        asked,
        files=tuple(dict.fromkeys(contributions.now.get(path, path) for path in change.paths)),
        author=places[0] if places else -1,
        authors=frozenset(everybody - {-1}),
        visible=range(sum(1 for commit in contributions.commits if commit.at <= at)),
        own=own,
    )
    return sight, authors


def _contributor(node: Node) -> Contributor:
    return Contributor(node.key, str(dict(node.props)["name"]), "", False)


def _named(asked: str, contributions: Contributions) -> list[Contributor]:
    """Whom a person names as the author; all of those who share a name."""
    found = [contributions.people[place] for place in contributions.called(asked)]
    if not found:
        near = difflib.get_close_matches(asked, [each.name for each in contributions.people], n=3)
        hint = (
            f"Did you mean {', '.join(near)}?"
            if near
            else "Give a name, address or @handle that commits have."
        )
        raise NotFoundError(f"Nobody in this history is called {asked!r}.", hint)
    return found


def _obligations(mirror: Mirror, change: Change) -> tuple[Demanded, ...]:
    """By the rules of the base, as hosts have it; by the change's own where there is no base."""
    tree = change.base.tree if change.base.tree != EMPTY_TREE else change.head.tree
    return tuple(
        Demanded(
            owners=each.owners,
            files=each.files,
            rule=each.pattern,
            file=each.file,
            line=each.line,
            section=each.section,
            approvals=each.approvals,
        )
        for each in facts.read_obligations(mirror, tree, change.paths)
    )
