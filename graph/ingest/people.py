"""Who stands behind a commit: names and addresses from its header and trailers, bots told apart."""

from __future__ import annotations

import re
from typing import NamedTuple

import pygit2

from graph.facts import Node, Scope
from graph.schema import NodeKind

MAX_TEXT = 64 * 1024
"""Bytes of a commit's header and of its message that are looked at."""
MAX_LINE = 2_000

_SIGNATURE = re.compile(rb"(.*?) ?<([^>]*)>.* (-?\d{1,18}) [+-]\d{4,5}")
_ENCODING = re.compile(rb"^encoding ([A-Za-z0-9._-]+)$", re.MULTILINE)
_TRAILER = re.compile(
    r"^(co-authored-by|reviewed-by|acked-by|approved-by):([^<\n]{0,300})<([^>\n]{0,300})>",
    re.IGNORECASE | re.MULTILINE,
)
_NOREPLY = re.compile(r"(?:\d+\+)?([A-Za-z0-9][A-Za-z0-9_-]*(?:\[bot\])?)@users\.noreply\.github\.com")
_BOT = re.compile(
    r"\[bot\]|[-_ ]bot\b|^bot\b|\b(?:dependabot|renovate|github-actions?|greenkeeper|pre-commit-ci|mergify"
    r"|imgbot|allcontributors|k8s-ci-robot|bors|weblate)\b",
    re.IGNORECASE,
)


class Person(NamedTuple):
    """A name and an address, as a commit gives them."""

    name: str
    email: str


class Credit(NamedTuple):
    """Who made a commit and when: `at` is the committer's time in Unix seconds."""

    at: int
    authors: tuple[Person, ...]
    reviewers: tuple[Person, ...]
    subject: str


def read_credit(header: bytes, message: bytes) -> Credit:
    """Author (and `Co-authored-by:`), reviewers, time and subject of a commit.

    Reviewers are those of `Reviewed-by:`, `Acked-by:` and `Approved-by:` trailers.

    Text is decoded as the commit's `encoding` header says, UTF-8 without one; what does not decode
    is replaced. A malformed header gives no author.
    """
    named = _ENCODING.search(header[:MAX_TEXT])
    encoding = named[1].decode() if named else "utf-8"
    authors: list[Person] = []
    at = 0
    for line in header[:MAX_TEXT].split(b"\n"):
        role, _, rest = line.partition(b" ")
        if role not in (b"author", b"committer") or not (match := _SIGNATURE.fullmatch(rest[:MAX_LINE])):
            continue
        if role == b"author":
            authors.append(_person(_decode(match[1], encoding), _decode(match[2], encoding)))
        else:
            at = int(match[3])
    text = _decode(message[:MAX_TEXT], encoding)
    reviewers: list[Person] = []
    for key, name, email in _TRAILER.findall(text):
        people = authors if key[0] in "cC" else reviewers
        people.append(_person(name, email))
    return Credit(at, tuple(dict.fromkeys(authors)), tuple(dict.fromkeys(reviewers)), subject_of(text))


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _person(name: str, email: str) -> Person:
    return Person(_plain(name), _plain(email))


def _plain(text: str) -> str:
    """One line, without control characters and lone surrogates."""
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable())
    return text.strip()[:200]


def subject_of(message: str) -> str:
    """First line of a message, at most 200 characters."""
    return _plain(message.lstrip().partition("\n")[0])


def is_bot(person: Person) -> bool:
    """Whether a name or address is a program's, by the names programs go by."""
    return bool(_BOT.search(person.name) or _BOT.search(person.email.partition("@")[0]))


class Directory:
    """Resolves what commits call people to the Owners they are, through a `.mailmap` (gitmailmap(5))."""

    def __init__(self, scope: Scope, mailmap: bytes = b"") -> None:
        self._scope = scope
        self._mailmap = pygit2.Mailmap.from_buffer(mailmap.decode("utf-8", "replace"))
        self._known: dict[Person, Node] = {}

    def owner(self, person: Person) -> Node:
        """The Owner of a name and address: keyed by the address in lower case, by name without one."""
        node = self._known.get(person)
        if node is None:
            name, email = self._mailmap.resolve(person.name, person.email)
            node = self._known[person] = owner_node(self._scope, Person(name, email))
        return node


def owner_node(scope: Scope, person: Person) -> Node:
    """The Owner node of a person or a bot; `handle` where the address is GitHub's own for an account."""
    email = person.email.lower()
    match = _NOREPLY.fullmatch(email)
    bot = is_bot(person)
    props = (
        ("bot", bot),
        ("handle", f"@{match[1]}" if match else ""),
        ("name", person.name or email),
        ("person", not bot),
    )
    return Node(NodeKind.OWNER, f"{scope.tenant}/{email or person.name or 'unknown'}", props)
