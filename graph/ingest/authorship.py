"""Who made a change: the commits between its two sides, and the people that these name."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from graph.ingest.git import Mirror, split_commit
from graph.ingest.people import Person, is_bot, read_credit

MAX_COMMITS = 2_000
"""Commits of a change that are read for their authors."""


class Authorship(NamedTuple):
    """Commits that a change brings, newest first, and its authors, who made most of them first.

    `complete` is False where there may be more commits than are read.
    """

    commits: tuple[str, ...]
    authors: tuple[Person, ...]
    complete: bool


def read_authorship(mirror: Mirror, base: str, head: str, limit: int = MAX_COMMITS) -> Authorship:
    """What `head` reaches and `base` does not, by full ids; `base` may be empty. Bots come last."""
    commits = mirror.between(base, head, limit)
    counts: Counter[Person] = Counter()
    for ident in commits:
        counts.update(read_credit(*split_commit(mirror.raw_commit(ident))).authors)
    authors = sorted(counts, key=lambda person: (is_bot(person), -counts[person], person))
    return Authorship(tuple(commits), tuple(authors), len(commits) < limit)
