"""One pass over a repository's history: who changed what, what was renamed, what changes together.

Commits are read newest first, each compared with its first parent by tree ids alone; contents are
looked at only where files went and came in the same commit, to find renames. Merges count as
commits without files: what they bring in is in the commits that they merge. What a commit amounts
to never changes, so it is kept in a log beside the mirror, and the next pass reads only what is new.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from graph.errors import RepositoryError
from graph.facts import Batch, Fact, Hyperedge, Member, Node, Props, Provenance, Scope, file_node
from graph.ingest import trees
from graph.ingest.cochange import MAX_FILES, mine_pairs
from graph.ingest.git import Mirror, commit_parents, commit_tree, split_commit
from graph.ingest.notebook import replace_file
from graph.ingest.people import Directory, Person, is_bot, read_credit
from graph.ingest.registry import language_of
from graph.ingest.reviews import Reviews, kept_reviews, merged_by
from graph.progress import Progress, silent
from graph.schema import EdgeKind, NodeKind, Resolver, Tier

BUDGET_COMMITS = 20_000
BUDGET_SECONDS = 5.0
MAX_TOUCHED = 1_000
"""Files of one commit that are named; larger ones (imports of whole trees) name none."""
RENAME_PAIRS = 400
"""Pairs of files that went and came in one commit that are still compared by content."""
MAX_MAILMAP = 2_000_000

HISTORY_KINDS = frozenset((EdgeKind.AUTHORED, EdgeKind.RENAMED_FROM, EdgeKind.CO_CHANGED))
_LOG = "history-2.msgpack"

_PHASE = "reading history"
"""Told commits read so far, and about how many there are."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What one commit amounts to: a pure function of the commit. Paths are as they were then."""

    parents: tuple[str, ...]
    at: int
    authors: tuple[Person, ...]
    reviewers: tuple[Person, ...]
    subject: str
    paths: tuple[str, ...]
    """Files added, deleted, modified or moved (both ends); none where there are too many."""
    renames: tuple[tuple[str, str, int], ...]
    """Old path, new path, similarity in percent."""
    touched: int
    cut: bool
    """Whether it stood at the end of a shallow clone: neither parents nor files are known then."""


class Log(msgspec.Struct):
    """The commits read so far, by id, and the last pass: its commit, whether that
    was all, the `.mailmap` (blob id), the export of reviews (digest) and where a shallow clone ended."""

    head: str = ""
    complete: bool = False
    mailmap: str = ""
    boundary: tuple[str, ...] = ()
    reviews: str = ""
    records: dict[str, Record] = msgspec.field(default_factory=dict)


class HistoryRead(NamedTuple):
    """What a pass found.

    `facts` holds every valid edge of the kinds in `replaces`; of the other kinds only what is new.
    `complete`: the pass reached the roots of history (or of a shallow clone's). `read` counts the
    commits known now, `total_hint` those there are, as far as they were counted. `notes` says in
    sentences what was left out.
    """

    facts: Batch
    complete: bool
    read: int
    total_hint: int
    replaces: frozenset[EdgeKind]
    notes: tuple[str, ...]


def read_history(
    mirror: Mirror,
    commit: str,
    scope: Scope,
    *,
    since: str | None = None,
    budget_commits: int = BUDGET_COMMITS,
    budget_seconds: float = BUDGET_SECONDS,
    progress: Progress = silent,
) -> HistoryRead:
    """Read the history of a commit.

    Parameters
    ----------
    commit : str
        Full id of the commit to read from.
    since : str, optional
        The commit that the last pass read from: only what is not reachable from it is new. Where
        history was rewritten, or the log or the `.mailmap` changed, everything is said anew.
    budget_commits, budget_seconds : int, float
        How many commits may be known, and how long reading unknown ones may take. A later pass
        without `since` goes on where this one had to stop.

    Raises
    ------
    RepositoryError
        An object is missing, though the clone is neither shallow nor partial.
    """
    log = _read_log(mirror.directory / _LOG)
    mailmap = _mailmap(mirror, commit)
    boundary = tuple(sorted(mirror.boundary))
    reviews, export = kept_reviews(mirror.directory)
    said = blake2b(export, digest_size=16).hexdigest() if export else ""
    if (mailmap, boundary, said) != (log.mailmap, log.boundary, log.reviews) or since not in log.records:
        since = None
    if since == commit == log.head:
        known = len(log.records)
        return HistoryRead(Batch(), log.complete, known, known, frozenset(), ())
    # Counting is not worth its time where nearly all is known.
    total = 0 if since and log.complete else mirror.count_commits(commit, seconds=0.5)
    passed = _Pass(mirror, log.records, time.monotonic() + budget_seconds, budget_commits)
    order = passed.walk(commit, since, progress, total)
    if since is not None and since not in passed.reached:
        since = None
    old = _reachable(log.records, since)
    log.head, log.complete, log.mailmap = commit, not passed.stopped, mailmap
    log.boundary, log.reviews = boundary, said
    log.records = {ident: log.records[ident] for ident in order}
    replace_file(mirror.directory / _LOG, msgspec.msgpack.encode(log))
    directory = directory_of(mirror, commit, scope)
    facts = Batch()
    credits = _Credits(directory, reviews, merged_by(order, log.records))
    for ident in order:
        if ident not in old:
            facts.add(_authored(scope, ident, log.records[ident], credits))
    facts.add(_renamed(scope, order, log.records))
    facts.add(_co_changed(scope, order, log.records, mirror.paths(mirror.commit(commit).tree)))
    replaces = HISTORY_KINDS - {EdgeKind.AUTHORED} if since else HISTORY_KINDS
    notes = tuple(_notes(mirror, passed, log.records, max(total, len(order))))
    return HistoryRead(facts, not passed.stopped, len(order), max(total, len(order)), replaces, notes)


class _Pass:
    """Walks from the newest commit back, by time, reading what the log does not know."""

    def __init__(self, mirror: Mirror, records: dict[str, Record], deadline: float, budget: int) -> None:
        self._mirror = mirror
        self._records = records
        self._deadline = deadline
        self._budget = budget
        self.stopped = ""
        self.reached: set[str] = set()

    def walk(self, start: str, since: str | None, progress: Progress, total: int) -> list[str]:
        """Ids in the order they were met; `stopped` says why, if before the end.

        With `since`, what lies below it is taken from the log alone: nothing older becomes new.
        """
        old = _reachable(self._records, since)
        order: list[str] = []
        heap: list[tuple[int, str]] = []
        self._push(heap, start, below=False)
        while heap:
            ident = heapq.heappop(heap)[1]
            order.append(ident)
            if len(order) % 200 == 0:
                progress(_PHASE, len(order), total)
            if len(order) >= self._budget:
                self.stopped = self.stopped or ("budget" if heap or self._records[ident].parents else "")
                break
            for parent in self._records[ident].parents:
                self._push(heap, parent, below=ident in old)
        progress(_PHASE, len(order), max(total, len(order)))
        return order

    def _push(self, heap: list[tuple[int, str]], ident: str, *, below: bool) -> None:
        if ident in self.reached:
            return
        entry = self._records.get(ident)
        if entry is None or entry.cut != (ident in self._mirror.boundary):
            if below or (self.reached and time.monotonic() > self._deadline):
                self.stopped = self.stopped or "budget"
                return
            try:
                entry = self._records[ident] = _read_record(self._mirror, ident)
            except RepositoryError:
                if not self._mirror.partial:
                    raise
                self.stopped = "partial"
                return
        self.reached.add(ident)
        heapq.heappush(heap, (-entry.at, ident))


def _reachable(records: dict[str, Record], start: str | None) -> set[str]:
    """Ids in the log that a commit reaches, itself included."""
    if start is None or start not in records:
        return set()
    found = {start}
    waiting = [start]
    while waiting:
        for parent in records[waiting.pop()].parents:
            if parent not in found and parent in records:
                found.add(parent)
                waiting.append(parent)
    return found


def _read_record(mirror: Mirror, ident: str) -> Record:
    header, message = split_commit(mirror.raw_commit(ident))
    cut = ident in mirror.boundary
    parents = () if cut else commit_parents(header)
    credit = read_credit(header, message)
    paths: tuple[str, ...] = ()
    moved: tuple[tuple[str, str, int], ...] = ()
    touched = 0
    # What a shallow clone's oldest commits changed is not known: they would seem to add everything.
    if len(parents) < 2 and not cut:
        before = commit_tree(split_commit(mirror.raw_commit(parents[0]))[0]) if parents else None
        touched, paths, moved = _compare(mirror, before, commit_tree(header))
    return Record(
        parents, credit.at, credit.authors, credit.reviewers, credit.subject, paths, moved, touched, cut
    )


def _compare(
    mirror: Mirror, before: str | None, after: str
) -> tuple[int, tuple[str, ...], tuple[tuple[str, str, int], ...]]:
    """How many files differ, their paths, and the renames among them."""
    if before == after:
        return 0, (), ()
    deleted: dict[str, bytes] = {}
    added: dict[str, bytes] = {}
    paths = []
    for path, old, new in mirror.differences(before, after):
        paths.append(path)
        if old and not new and trees.kind_of(old[0]) == trees.FILE:
            deleted[path] = old[1]
        elif new and not old and trees.kind_of(new[0]) == trees.FILE:
            added[path] = new[1]
    found = []
    if deleted and added:
        by_content = len(deleted) * len(added) <= RENAME_PAIRS and not mirror.partial
        found = mirror.renames(deleted, added, by_content=by_content)
    named = sorted(paths) if len(paths) <= MAX_TOUCHED else []
    return len(paths), tuple(named), tuple(sorted((r.old, r.new, r.similarity) for r in found))


def _mailmap(mirror: Mirror, commit: str) -> str:
    """Blob id of the tree's `.mailmap`; empty where there is none of a sensible size."""
    entry = mirror.entry(mirror.commit(commit).tree, ".mailmap")
    return entry.blob if entry and entry.kind == "file" and 0 < entry.size <= MAX_MAILMAP else ""


def directory_of(mirror: Mirror, commit: str, scope: Scope) -> Directory:
    """Who people are by the `.mailmap` of a commit, by its full id."""
    mailmap = _mailmap(mirror, commit)
    return Directory(scope, mirror.blob(mailmap) if mailmap else b"")


def _said(resolver: Resolver = Resolver.HISTORY) -> Provenance:
    return Provenance("", "", resolver)


class _Credits(NamedTuple):
    """Whom each commit is owed to, beside what it says itself."""

    directory: Directory
    reviews: Reviews
    mergers: dict[str, Person]

    def reviewers(self, ident: str, entry: Record) -> tuple[tuple[Person, ...], str]:
        """Who reviewed a commit, and how that is known: its trailers, the export, else its merge."""
        exported = self.reviews.of(ident)
        if found := tuple(dict.fromkeys((*entry.reviewers, *exported))):
            return found, "export" if exported else "trailer"
        merger = self.mergers.get(ident)
        authors = {self.directory.owner(person).key for person in entry.authors}
        if merger is None or self.directory.owner(merger).key in authors:
            return (), ""
        return (merger,), "merge"


def _authored(scope: Scope, ident: str, entry: Record, credits: _Credits) -> Iterator[Fact]:
    """The Change, its Owners, its Files, and the edge that ties them."""
    bot = bool(entry.authors) and is_bot(entry.authors[0])
    key = scope.change(ident)
    merge = len(entry.parents) > 1
    props = (("at", entry.at), ("bot", bot), ("commit", ident), ("merge", merge), ("subject", entry.subject))
    yield Node(NodeKind.CHANGE, key, props)
    members = [Member("change", NodeKind.CHANGE, key)]
    reviewers, how = credits.reviewers(ident, entry)
    for role, people in (("author", entry.authors), ("reviewer", reviewers)):
        owners = {node.key: node for node in map(credits.directory.owner, people)}
        yield from owners.values()
        members += [Member(role, NodeKind.OWNER, owner) for owner in owners]
    for path in entry.paths:
        yield _file(scope, path)
        members.append(Member("file", NodeKind.FILE, scope.file(path)))
    if entry.authors:
        said: Props = (("at", entry.at), ("how", how)) if how else (("at", entry.at),)
        yield Hyperedge(EdgeKind.AUTHORED, scope, tuple(members), _said(), Tier.EXACT, props=said)


def _file(scope: Scope, path: str) -> Node:
    """A script without an ending says in its first line what it is: who reads files knows that."""
    return file_node(scope, path, language_of(path) or None)


def _renamed(scope: Scope, order: Iterable[str], records: dict[str, Record]) -> Iterator[Fact]:
    for ident in order:
        for old, new, percent in records[ident].renames:
            yield _file(scope, old)
            yield _file(scope, new)
            members = (
                Member("now", NodeKind.FILE, scope.file(new)),
                Member("before", NodeKind.FILE, scope.file(old)),
            )
            props = (("commit", ident), ("similarity", percent))
            tier = Tier.EXACT if percent == 100 else Tier.TYPED
            yield Hyperedge(EdgeKind.RENAMED_FROM, scope, members, _said(), tier, props=props)


def follow_renames(
    order: Iterable[str], records: dict[str, Record]
) -> Iterator[tuple[str, Record, list[str]]]:
    """Id, entry and files of each commit under the names that these files bear now.

    `order` goes from the newest commit back. Along parallel branches this is by time, not by
    ancestry: right wherever a file was not changed under two names at once.
    """
    now: dict[str, str] = {}
    for ident in order:
        entry = records[ident]
        for old, new, _ in entry.renames:
            now[old] = now.get(new, new)
        yield ident, entry, list(dict.fromkeys(now.get(path, path) for path in entry.paths))


def _co_changed(
    scope: Scope, order: Iterable[str], records: dict[str, Record], alive: frozenset[str]
) -> Iterator[Fact]:
    """Pairs of files that stand today; bots, merges and commits of many files do not count."""
    transactions = (
        [path for path in paths if path in alive]
        for _, entry, paths in follow_renames(order, records)
        if 0 < entry.touched <= MAX_FILES and not (entry.authors and is_bot(entry.authors[0]))
    )
    for pair in mine_pairs(transactions):
        members = []
        for path in (pair.one, pair.other):
            yield _file(scope, path)
            members.append(Member("file", NodeKind.FILE, scope.file(path)))
        props = (("confidence", pair.confidence), ("count", pair.common))
        yield Hyperedge(EdgeKind.CO_CHANGED, scope, tuple(members), _said(), props=props)


def _notes(mirror: Mirror, passed: _Pass, records: dict[str, Record], total: int) -> Iterator[str]:
    if mirror.shallow:
        yield (
            f"The clone is shallow: history before {len(mirror.boundary)} of its commits is not there "
            "(`git fetch --unshallow` brings it)."
        )
    if passed.stopped == "partial":
        yield "The clone is partial: history stops where its objects do."
    elif passed.stopped:
        yield f"Read the newest {len(records):,} of about {total:,} commits within the budget."
    if large := sum(1 for entry in records.values() if entry.touched > MAX_TOUCHED):
        yield f"Files are not named of commits that touch more than {MAX_TOUCHED:,} of them: {large:,} here."


def _read_log(place: Path) -> Log:
    """The log beside the mirror; an empty one where there is none or it is damaged."""
    try:
        return msgspec.msgpack.decode(place.read_bytes(), type=Log)
    except (FileNotFoundError, msgspec.DecodeError):
        return Log()
