"""Why somebody is worth asking: facts of history about a person and a change, counted and kept.

Nothing is ranked here: what is found are the reasons, the load, who alone knows a file, whose
approval the rules demand. Times are Unix seconds, people places in `Contributions.people`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import NamedTuple

from graph.ingest.codeowners import Rule, parse_codeowners
from graph.ingest.git import Mirror
from graph.ingest.owners import MAX_SIZE, find_codeowners
from graph.queries.contributions import Contribution, Contributions
from graph.queries.expertise import Known

DAY = 86_400
KNOWN = 720 * DAY
"""After this long without touching or reviewing a file nobody is counted on to know it."""
AWAY = 180 * DAY
"""Who neither wrote nor reviewed anything for so long counts as inactive: inferred, and said so."""
RECENT = 30 * DAY
"""The time over which load is counted."""
_FADING = 365 * DAY
"""After which a commit says half as much of who knows a symbol."""
_REVIEW = 0.7
"""What having reviewed a commit counts beside having written it."""


@unique
class Kind(StrEnum):
    """What a reason says somebody did."""

    KNOWS_SYMBOL = "knows symbol"
    REVIEWED_AUTHOR = "reviewed author"
    REVIEWED_FILE = "reviewed file"
    WROTE_FILE = "wrote file"
    REVIEWED_FOLDER = "reviewed folder"
    WROTE_FOLDER = "wrote folder"
    RETURNED = "reviewed by author"
    ACTIVE = "reviews much"


class Reason(NamedTuple):
    """One reason: how many commits stand behind it, and the newest of them, a place.

    `on` is a file that the newest touches, or a folder; `symbol` what of the cone it changed;
    `wrote` whether they wrote it, and not reviewed it; `to` another person whom it is about.
    """

    kind: Kind
    commits: int
    newest: int
    on: str = ""
    symbol: Known | None = None
    wrote: bool = False
    to: int = -1


@dataclass(frozen=True)
class Sight:
    """What may be looked at for a change: the commits before it, and not its own.

    Attributes
    ----------
    at : int
        The moment that the change is judged at.
    asked : float
        When it is asked about: today for what is new, so that who is away today is known to be.
    files : tuple of str
        What it touches, by present names.
    author : int
        Who made most of it; -1 where no commit names them.
    authors : frozenset of int
        Everybody who made it, and whoever bears the name of one of them.
    visible : range
        Places of the commits up to `at`.
    own : frozenset of str
        Ids of the change's own commits.
    """

    contributions: Contributions
    at: int
    asked: float
    files: tuple[str, ...]
    author: int
    authors: frozenset[int]
    visible: range
    own: frozenset[str]

    def commits(self, places: Iterable[int]) -> list[tuple[int, Contribution]]:
        """Those of some places that may be looked at, newest first."""
        every = self.contributions.commits
        kept = [(place, every[place]) for place in places if place in self.visible]
        return [(place, commit) for place, commit in reversed(kept) if commit.commit not in self.own]


class Obligation(NamedTuple):
    """Whose approval a rule of CODEOWNERS demands: not advice."""

    owners: tuple[str, ...]
    files: tuple[str, ...]
    pattern: str
    line: int
    section: str
    approvals: int
    file: str


class Standing(NamedTuple):
    """How somebody stands: reviews done in `RECENT`, and when they last did anything (0 never)."""

    reviews: int
    last: int


def read_obligations(mirror: Mirror, tree: str, paths: Sequence[str]) -> tuple[Obligation, ...]:
    """What CODEOWNERS of a tree demands for some paths, in the order of its lines."""
    found = find_codeowners(mirror, tree)
    if found is None or not 0 <= found[0].size <= MAX_SIZE:
        return ()
    entry, dialect = found
    rules = parse_codeowners(mirror.blob(entry.blob).decode("utf-8", "replace"), dialect)
    groups: dict[Rule, list[str]] = defaultdict(list)
    for path in paths:
        for match in rules.match(path):
            groups[match.rule].append(path)
    ordered = sorted(groups.items(), key=lambda item: item[0].line)
    return tuple(
        Obligation(
            rule.owners, tuple(files), rule.pattern, rule.line, rule.section, rule.approvals, entry.path
        )
        for rule, files in ordered
        if rule.owners
    )


def read_standing(sight: Sight) -> dict[int, Standing]:
    """How everybody stands at the moment of the change."""
    reviews: Counter[int] = Counter()
    last: dict[int, int] = {}
    for _, commit in sight.commits(sight.visible):
        for who in (*commit.authors, *commit.reviewers):
            last.setdefault(who, commit.at)
        if sight.at - commit.at <= RECENT:
            reviews.update(commit.reviewers)
    return {who: Standing(reviews[who], at) for who, at in last.items()}


def read_risks(sight: Sight) -> dict[str, set[int]]:
    """Who knows each changed file, where that is one person or nobody but the change's authors."""
    risks = {}
    for path in sight.files:
        known: set[int] = set()
        for _, commit in sight.commits(sight.contributions.by_file.get(path, ())):
            if sight.at - commit.at <= KNOWN:
                known.update(commit.authors, commit.reviewers)
        known = {who for who in known if not sight.contributions.people[who].bot}
        if path in sight.contributions.by_file and len(known | sight.authors) < 2:
            risks[path] = known
    return risks


def weigh_expertise(sight: Sight, known: Sequence[Known]) -> dict[int, float]:
    """Share of what is known of the cone's symbols that each person has: sums to 1, authors apart."""
    shares: dict[int, float] = defaultdict(float)
    for symbol in known:
        for _, commit in sight.commits(sorted(symbol.commits)):
            worth = 0.5 ** (symbol.distance + (sight.at - commit.at) / _FADING)
            for people, count in ((commit.authors, 1.0), (commit.reviewers, _REVIEW)):
                for who in people:
                    if who not in sight.authors and not sight.contributions.people[who].bot:
                        shares[who] += worth * count
    total = sum(shares.values())
    return {who: share / total for who, share in shares.items()} if total else {}


class Reasons:
    """Reasons for one change, gathered once and asked for by person."""

    def __init__(self, sight: Sight, known: Sequence[Known]) -> None:
        self._found: dict[int, dict[tuple[Kind, str], Reason]] = defaultdict(dict)
        self._sight = sight
        self._symbols(known)
        seen = self._places(sight.files, Kind.REVIEWED_FILE, Kind.WROTE_FILE)
        self._folders(seen)
        self._pairs()

    def of(self, who: int, limit: int = 5) -> list[Reason]:
        """Somebody's reasons, the most telling first: by sort, then by number."""
        order = list(Kind)
        held = sorted(
            self._found.get(who, {}).values(), key=lambda r: (order.index(r.kind), -r.commits, r.on)
        )
        # The first of each sort, then more of the same.
        first: dict[Kind, Reason] = {}
        for reason in held:
            first.setdefault(reason.kind, reason)
        rest = [reason for reason in held if reason is not first[reason.kind]]
        shown = [*first.values(), *rest][:limit]
        return sorted(shown, key=lambda reason: order.index(reason.kind))

    def _note(self, who: int, reason: Reason) -> None:
        """Count a reason; places come newest first, so that the first is kept."""
        key = reason.kind, reason.on or (reason.symbol.symbol.key if reason.symbol else "")
        before = self._found[who].get(key)
        self._found[who][key] = before._replace(commits=before.commits + 1) if before else reason

    def _symbols(self, known: Sequence[Known]) -> None:
        for symbol in known:
            for place, commit in self._sight.commits(sorted(symbol.commits)):
                for people, wrote in ((commit.authors, True), (commit.reviewers, False)):
                    for who in people:
                        self._note(who, Reason(Kind.KNOWS_SYMBOL, 1, place, symbol=symbol, wrote=wrote))

    def _places(self, files: Iterable[str], reviewed: Kind, wrote: Kind) -> set[int]:
        seen = set()
        for path in files:
            for place, commit in self._sight.commits(self._sight.contributions.by_file.get(path, ())):
                seen.add(place)
                for who in commit.authors:
                    self._note(who, Reason(wrote, 1, place, path, wrote=True))
                for who in commit.reviewers:
                    self._note(who, Reason(reviewed, 1, place, path))
        return seen

    def _folders(self, seen: set[int]) -> None:
        """Commits in the same folders, beside those of the files themselves."""
        folders = {path.rpartition("/")[0] for path in self._sight.files}
        for place, commit in self._sight.commits(self._sight.visible):
            here = folders.intersection(path.rpartition("/")[0] for path in commit.files)
            if place in seen or not here:
                continue
            folder = min(here) or "."
            for who in commit.authors:
                self._note(who, Reason(Kind.WROTE_FOLDER, 1, place, folder, wrote=True))
            for who in commit.reviewers:
                self._note(who, Reason(Kind.REVIEWED_FOLDER, 1, place, folder))

    def _pairs(self) -> None:
        sight = self._sight
        for place, commit in sight.commits(sight.visible):
            author = next(iter(sight.authors.intersection(commit.authors)), -1)
            for who in commit.reviewers:
                if author >= 0:
                    self._note(who, Reason(Kind.REVIEWED_AUTHOR, 1, place, to=author))
                if sight.at - commit.at <= RECENT:
                    self._note(who, Reason(Kind.ACTIVE, 1, place))
            returned = next(iter(sight.authors.intersection(commit.reviewers)), -1)
            if returned >= 0:
                for who in commit.authors:
                    self._note(who, Reason(Kind.RETURNED, 1, place, wrote=True, to=returned))
