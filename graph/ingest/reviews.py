"""Who reviewed a commit where its message does not say: merges, and what a forge exports.

A merge tells of a review only where it brings a change in: `Merge pull request #7`, `Merge branch
'x' into 'main'`, a topic or tag. A pull of the main line into somebody's own branch has the same
shape and means nothing, so a merge whose words do not tell is passed over.

An export is JSON lines, an object a line (docs/reviews.md):

    {"commits": ["5dc781f5dc", ...], "reviewers": ["Ann Lee <ann@example.org>", ...]}
    {"state": "open", "reviewers": ["bob@example.org"], "author": "cleo@example.org", "title": "..."}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from graph.errors import InputError
from graph.ingest.notebook import replace_file
from graph.ingest.people import Person, is_bot

MAX_EXPORT = 256 * 1024 * 1024
"""Bytes of an export that are taken."""
MAX_NAMED = 10_000
"""Commits and reviewers that one line may name."""
_FILE = "reviews-1.msgpack"

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_PERSON = re.compile(r"([^<>]*)<([^<>]*)>")
_MAIN = r"(?:main|master|trunk|dev|devel|develop|development|default|mainline)"
_BROUGHT = re.compile(
    r"merge pull request #|merged in \S+ \(pull request #|merge (?:topic|tag|patch series|changes?) "
    rf"|merge branch '(?!{_MAIN}')[^']+'(?: into '?{_MAIN}\b'?| into '[^']+')?$"
    rf"|merge remote-tracking branch '[^'/]+/(?!{_MAIN}')[^']+'(?: into {_MAIN})?$",
    re.IGNORECASE,
)


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A change that waits for its reviewers."""

    title: str
    author: Person | None
    reviewers: tuple[Person, ...]


class Reviews(msgspec.Struct, frozen=True, array_like=True):
    """What an export said: reviewers by commit id (7 digits or more), and what is waiting."""

    done: dict[str, tuple[Person, ...]] = {}
    waiting: tuple[Waiting, ...] = ()

    def of(self, commit: str) -> tuple[Person, ...]:
        """Reviewers of a commit by its full id, those of an id that is short for it included."""
        if not self.done:
            return ()
        found = [person for size in range(7, 41) for person in self.done.get(commit[:size], ())]
        return tuple(dict.fromkeys(found))


class Recorded(Protocol):
    """What is asked of a commit's record."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids."""

    @property
    def at(self) -> int:
        """Unix seconds."""

    @property
    def authors(self) -> tuple[Person, ...]:
        """The first is who made it."""

    @property
    def subject(self) -> str:
        """First line of the message."""


def parse_person(text: str) -> Person:
    """`Name <address>`, an address, or `@handle`, which stands in the address's place.

    Raises
    ------
    ValueError
        Nothing is there to know anybody by.
    """
    plain = text.strip()[:500]
    if not plain.isprintable():
        raise ValueError("a person's name holds control characters")
    found = _PERSON.fullmatch(plain)
    name, address = (found[1].strip(), found[2].strip()) if found else ("", plain)
    if not address or (not found and "@" not in address):
        raise ValueError(f"{plain!r} is nobody: write `Name <address>`, an address, or @handle")
    return Person(name, address)


def parse_export(data: bytes, called: str = "the export") -> Reviews:
    """Read what a forge exported.

    Raises
    ------
    InputError
        A line is not what docs/reviews.md says; the message names it.
    """
    if len(data) > MAX_EXPORT:
        raise InputError(f"{called} is larger than {MAX_EXPORT >> 20} MB.", "Split it by time.")
    done: dict[str, tuple[Person, ...]] = {}
    waiting: list[Waiting] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
            if not isinstance(row, dict):
                raise ValueError("a line is an object with `reviewers`")
            reviewers = _people(row)
            if row.get("state", "merged") == "open":
                author = parse_person(row["author"]) if isinstance(row.get("author"), str) else None
                waiting.append(Waiting(str(row.get("title", ""))[:200], author, reviewers))
                continue
            for commit in _commits(row):
                done[commit] = tuple(dict.fromkeys((*done.get(commit, ()), *reviewers)))
        except (ValueError, RecursionError, msgspec.DecodeError) as error:
            raise InputError(
                f"Line {number} of {called} cannot be used: {error}.", "docs/reviews.md shows the form."
            ) from error
    return Reviews(done, tuple(waiting))


def _people(row: Mapping[str, Any]) -> tuple[Person, ...]:
    given = row.get("reviewers")
    if not isinstance(given, list) or len(given) > MAX_NAMED or not all(isinstance(x, str) for x in given):
        raise ValueError("`reviewers` is a list of people, each as text")
    people = (parse_person(text) for text in given)
    return tuple(dict.fromkeys(person for person in people if not is_bot(person)))


def _commits(row: Mapping[str, Any]) -> list[str]:
    given = row.get("commits", [row["commit"]] if "commit" in row else None)
    if not isinstance(given, list) or not given or len(given) > MAX_NAMED:
        raise ValueError("`commits` is a list of commit ids")
    for commit in given:
        if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
            raise ValueError(f"{commit!r} is no commit id of 7 to 40 hexadecimal digits")
    return given


def keep_reviews(mirror: Path, reviews: Reviews) -> None:
    """Keep an export beside the mirror; it takes the place of the one before."""
    replace_file(mirror / _FILE, msgspec.msgpack.encode(reviews))


def kept_reviews(mirror: Path) -> tuple[Reviews, bytes]:
    """The export kept beside a mirror, and its bytes; empty where there is none or it is damaged."""
    try:
        data = (mirror / _FILE).read_bytes()
        return msgspec.msgpack.decode(data, type=Reviews), data
    except (FileNotFoundError, msgspec.DecodeError):
        return Reviews(), b""


def brings_in(subject: str) -> bool:
    """Whether a merge's subject says that it brings a change in, not the main line up to date."""
    return bool(_BROUGHT.match(subject))


def merged_by(order: Iterable[str], records: Mapping[str, Recorded]) -> dict[str, Person]:
    """Who merged each commit that came in by a merge of the main line.

    The main line is the chain of first parents of the first commit of `order` (newest first). A
    commit came in with the oldest merge of it that reaches the commit beside the main line.
    Whoever merged their own work, and bots, are left out.
    """
    newest = next(iter(order), "")
    main: list[str] = []
    while newest in records:
        main.append(newest)
        newest = next(iter(records[newest].parents), "")
    taken = set(main)
    oldest = records[main[-1]].at if main else 0
    found: dict[str, Person] = {}
    for ident in reversed(main):
        entry = records[ident]
        if len(entry.parents) < 2 or not entry.authors:
            continue
        merger = entry.authors[0]
        counts = brings_in(entry.subject) and not is_bot(merger)
        waiting = list(entry.parents[1:])
        while waiting:
            at = waiting.pop()
            # What is older than all that is known of the main line may well lie on it.
            if at in taken or at not in records or records[at].at < oldest:
                continue
            taken.add(at)
            waiting.extend(records[at].parents)
            if counts and merger not in records[at].authors and len(records[at].parents) < 2:
                found[at] = merger
    return found
