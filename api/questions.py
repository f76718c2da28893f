"""What can be asked about a change, as typed values, and how a person's words become one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, unique

from graph.errors import InputError
from graph.schema import DEFAULT_TIER, Tier

DEPTH = 10
DEPTH_LIMIT = 100


@unique
class Direction(StrEnum):
    """Which way a cone goes: up to what depends on it, down to what it depends on."""

    UP = "up"
    DOWN = "down"


@unique
class Subject(StrEnum):
    """What a question is about."""

    REVISIONS = "revisions"
    DIFF = "diff"
    SYMBOL = "symbol"
    NAME = "name"
    """A symbol, and where there is none of that name, a revision (a branch or tag)."""


@unique
class Mode(StrEnum):
    """How many of the tests that a change can alter are taken, and in which order."""

    SAFE = "safe"
    MINIMAL = "minimal"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a change or a symbol.

    Parameters
    ----------
    subject : Subject
        How `asked` is to be read.
    asked : str
        Revisions (`A..B`, `A...B`, one commit), the revision that a diff applies to, or a symbol
        (`FILE:LINE`, `FILE`, `FILE::NAME`, a name).
    diff : bytes
        The diff, where the subject is one.
    repository : str
        Name of the repository; empty where there is only one.
    as_of : str
        A date or revision: what a symbol reached then. Empty for today.
    """

    subject: Subject
    asked: str
    diff: bytes = b""
    repository: str = ""
    tier: Tier = DEFAULT_TIER
    depth: int = DEPTH
    direction: Direction = Direction.UP
    as_of: str = ""

    def __post_init__(self) -> None:
        if self.as_of and self.subject in (Subject.REVISIONS, Subject.DIFF):
            raise InputError(
                "A change says itself what it is about, and cannot be asked as of another time.",
                "Ask about a symbol, a file or a line.",
            )
        if not 1 <= self.depth <= DEPTH_LIMIT:
            raise InputError(
                f"A depth of {self.depth} cannot be followed.", f"Give a depth from 1 to {DEPTH_LIMIT}."
            )
        if not self.asked.strip():
            raise InputError("Nothing was asked about.", "Name a range (A..B), a symbol, or FILE:LINE.")
        if "\0" in self.asked:
            raise InputError("The question holds a null character.", "Take it out.")


_REVISION = re.compile(r"(HEAD|@)([~^][0-9]*|@\{[^}]*\})*|[0-9a-fA-F]{7,40}([~^][0-9]*)*")


def subject_of(asked: str) -> Subject:
    """What a person's words name: revisions, a symbol, or a name that could be either.

    Two dots between revisions make a range; what looks like one commit (`HEAD~1`, a hexadecimal
    id) is that commit's own change; a path may begin with dots.
    """
    bare = asked.removeprefix("../").removeprefix("./")
    if ".." in bare and "::" not in bare and "/../" not in bare:
        return Subject.REVISIONS
    if _REVISION.fullmatch(asked):
        return Subject.REVISIONS
    return Subject.SYMBOL if ":" in asked else Subject.NAME
