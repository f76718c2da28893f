"""Reasons to ask somebody, in plain words and as paths of facts."""

from __future__ import annotations

from api import translation
from api.documents import Step, Symbol
from api.review_documents import Behind, Person
from graph.adjacency import Direction
from graph.facts import Scope
from graph.queries.contributions import Contribution, Contributions, Contributor
from graph.queries.reviewers import DAY, Kind, Reason
from graph.schema import EdgeKind, NodeKind, Tier


def person(contributor: Contributor) -> Person:
    """Somebody as documents show them."""
    address = contributor.key.partition("/")[2]
    return Person(key=contributor.key, name=contributor.name or address, address=address)


def ago(seconds: float) -> str:
    """`today`, `yesterday`, `12 days before`, `5 months before`, `3 years before`."""
    days = int(max(seconds, 0) // DAY)
    for size, unit in ((730, 365), (60, 30)):
        if days >= size:
            return f"{days // unit} {'years' if unit == 365 else 'months'} before"
    return ("the same day", "a day before")[days] if days < 2 else f"{days} days before"


class Words:
    """Says reasons about one change, judged at a moment (Unix seconds)."""

    def __init__(self, scope: Scope, contributions: Contributions, at: int) -> None:
        self._scope = scope
        self._contributions = contributions
        self._at = at

    def behind(self, who: int, reason: Reason) -> Behind:
        """A reason as documents show it."""
        newest = self._contributions.commits[reason.newest]
        return Behind(
            kind=reason.kind.value,
            sentence=self._sentence(reason, newest),
            commits=reason.commits,
            newest=newest.commit,
            at=newest.at,
            how="" if reason.wrote else newest.how,
            path=self._path(who, reason, newest),
        )

    def _sentence(self, reason: Reason, newest: Contribution) -> str:
        did = "wrote" if reason.wrote else "merged" if newest.how == "merge" else "reviewed"
        last = ago(self._at - newest.at)
        when = last if reason.commits == 1 else f"{reason.commits:,} times, last {last}"
        about = self._contributions.people[reason.to].name if reason.to >= 0 else ""
        if reason.kind is Kind.KNOWS_SYMBOL and reason.symbol is not None:
            name, steps = reason.symbol.symbol.name, reason.symbol.distance
            where = (
                "which this changes"
                if steps == 0
                else f"{steps} step{'s' * (steps > 1)} from what this changes"
            )
            verb = "changed" if reason.wrote else f"{did} changes of"
            return f"{verb} {name}, {where} ({when})"
        if reason.kind is Kind.REVIEWED_AUTHOR:
            return f"{did} what {about} wrote ({when})"
        if reason.kind is Kind.RETURNED:
            return f"was reviewed by {about} ({when})"
        if reason.kind is Kind.ACTIVE:
            return f"{did} {reason.commits:,} changes in the last 30 days"
        beside = reason.kind in (Kind.REVIEWED_FOLDER, Kind.WROTE_FOLDER)
        place = f"files beside it in {reason.on}" if beside else reason.on
        verb = "changed" if reason.wrote else f"{did} changes of"
        return f"{verb} {place} ({when})"

    def _path(self, who: int, reason: Reason, newest: Contribution) -> tuple[Step, ...]:
        steps: list[Step] = []
        change = self._change(newest)
        if reason.symbol is not None:
            steps += [translation.step(each, Direction.UP) for each in reason.symbol.path]
            start = translation.symbol(reason.symbol.symbol)
            steps.append(_authored(start, change, "file", start.path))
        elif reason.to >= 0:
            role = "reviewer" if reason.kind is Kind.RETURNED else "author"
            steps.append(_authored(self._owner(reason.to), change, role))
        elif reason.on in newest.files:
            steps.append(_authored(self._file(reason.on), change, "file", reason.on))
        elif reason.on:
            inside = next((f for f in newest.files if (f.rpartition("/")[0] or ".") == reason.on), reason.on)
            steps.append(_authored(self._file(inside), change, "file", inside))
        steps.append(_authored(change, self._owner(who), "author" if reason.wrote else "reviewer"))
        return tuple(steps)

    def _owner(self, who: int) -> Symbol:
        contributor = self._contributions.people[who]
        return Symbol(
            key=contributor.key, kind=NodeKind.OWNER.value, name=contributor.name or contributor.key
        )

    def _file(self, path: str) -> Symbol:
        return Symbol(key=self._scope.file(path), kind=NodeKind.FILE.value, name=path, path=path)

    def _change(self, commit: Contribution) -> Symbol:
        return Symbol(
            key=self._scope.change(commit.commit),
            kind=NodeKind.CHANGE.value,
            name=f"{commit.commit[:10]} {commit.subject}".strip(),
        )


def _authored(source: Symbol, target: Symbol, role: str, path: str = "") -> Step:
    return Step(
        source=source,
        target=target,
        edge=EdgeKind.AUTHORED.value,
        tier=Tier.EXACT.value,
        role=role,
        path=path,
    )
