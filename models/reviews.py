"""What a repository's past says of each person who might review a change, as numbers.

One kernel over arrays serves learning and asking: the commits before a moment, each likened to the
change in question (by author, files, folders), each fading with age at several half-lives, and
summed by the people who reviewed or wrote it. What the kernel is asked at a moment depends on
nothing that happened later, whatever else the arrays hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Places = NDArray[np.int64]

WINDOW = 4_000
"""Commits that are looked back at, at most."""
HALF_LIVES = np.array([0.25, 2.0, 7.0, 21.0, 60.0, 180.0, 720.0])
"""Days after which a commit counts half."""
FILE, STEM, FOLDER, TWO, TOP = range(5)
"""Parts of a path: itself, without its endings (a test beside its module), folder, first two, first."""
PARTS = 5
FAR = 4_000.0
"""Days since something that never happened."""


class Commit(NamedTuple):
    """A commit as the replay sees it: `at` in days, people as places in a list of your own."""

    at: float
    author: int
    reviewers: tuple[int, ...]
    files: tuple[str, ...]


class Question(NamedTuple):
    """A change to find reviewers for: `author` -1 where nobody knows them; `at` in days."""

    at: float
    author: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """n commits, ascending by time, with m reviews by `people` persons.

    Attributes
    ----------
    at : float64[n]
        Days.
    author : int64[n]
    review, reviewer : int64[m]
        Commit (ascending) and person of each review.
    widths : float64[PARTS, n]
        Distinct parts of each sort that a commit touches.
    places : dict
        (sort, part) to the commits that touch it, int64[], ascending.
    files
        Paths that each commit touches.
    """

    at: Floats
    author: Places
    review: Places
    reviewer: Places
    widths: Floats
    places: dict[tuple[int, str], Places]
    people: int
    files: tuple[tuple[str, ...], ...]

    def question(self, place: int) -> Question:
        """A commit as if it were asked about."""
        return Question(float(self.at[place]), int(self.author[place]), self.files[place])

    @staticmethod
    def of(commits: Sequence[Commit], people: int) -> Past:
        """Arrays of commits that are in order of time.

        Raises
        ------
        ValueError
            They are not.
        """
        at = np.array([commit.at for commit in commits], np.float64)
        if np.any(np.diff(at) < 0):
            raise ValueError("commits must be in order of time")
        touched: dict[tuple[int, str], list[int]] = {}
        widths = np.zeros((PARTS, len(commits)))
        for place, commit in enumerate(commits):
            for part in parts(commit.files):
                widths[part[0], place] += 1
                touched.setdefault(part, []).append(place)
        reviews = [(place, who) for place, commit in enumerate(commits) for who in commit.reviewers]
        pairs = np.array(reviews, np.int64).reshape(-1, 2)
        return Past(
            at,
            np.array([commit.author for commit in commits], np.int64),
            pairs[:, 0],
            pairs[:, 1],
            widths,
            {part: np.array(found, np.int64) for part, found in touched.items()},
            people,
            tuple(commit.files for commit in commits),
        )


class Evidence(NamedTuple):
    """What is known of c candidates: their numbers, and a row of `NAMES` values for each."""

    people: Places
    rows: Matrix


def parts(files: Iterable[str]) -> set[tuple[int, str]]:
    """The distinct parts of some paths."""
    found = set()
    for file in files:
        folder, _, name = file.rpartition("/")
        top, _, rest = file.partition("/")
        second, below, _ = rest.partition("/")
        stem = name.partition(".")[0].removeprefix("test_").removesuffix("_test")
        found |= {
            (FILE, file),
            (STEM, f"{folder}/{stem}"),
            (FOLDER, folder),
            (TWO, f"{top}/{second}" if below else folder),
            (TOP, top if rest else ""),
        }
    return found


_SAME, _NEAR = PARTS, PARTS + 1
_ALL = PARTS + 2
_REVIEWED: tuple[tuple[int, tuple[int, ...]], ...] = (
    (_ALL, (0, 1, 2, 3, 4, 5, 6)),
    (_SAME, (0, 1, 2, 3, 4, 5, 6)),
    (_NEAR, (1, 2, 3, 4, 5)),
    (FOLDER, (2, 3, 4, 5, 6)),
    (FILE, (3, 4, 5, 6)),
    (STEM, (3, 5, 6)),
    (TWO, (2, 4, 6)),
    (TOP, (2, 4, 6)),
)
"""Likeness, and the half-lives it is summed at, for those who reviewed."""
_WROTE: tuple[tuple[int, tuple[int, ...]], ...] = (
    (_ALL, (1, 2, 3, 5, 6)),
    (FOLDER, (3, 5, 6)),
    (FILE, (4, 6)),
    (TWO, (3, 5, 6)),
)
_RETURNED = (3, 5, 6)
"""Half-lives for those whose own commits the author reviewed."""
_LAST = ((1, _ALL), (1, _SAME), (1, FOLDER), (1, FILE), (0, _ALL), (0, FOLDER))
"""Whose last time counts: (1 reviewed, 0 wrote; likeness)."""

_WORDS = {FILE: "file", STEM: "stem", FOLDER: "folder", TWO: "two", TOP: "top"} | {
    _SAME: "author",
    _NEAR: "near",
    _ALL: "all",
}


def _names() -> tuple[str, ...]:
    sums = [f"reviewed {_WORDS[like]} {HALF_LIVES[k]:g}" for like, lives in _REVIEWED for k in lives]
    sums += [f"wrote {_WORDS[like]} {HALF_LIVES[k]:g}" for like, lives in _WROTE for k in lives]
    sums += [f"returned {HALF_LIVES[k]:g}" for k in _RETURNED]
    lasts = [f"since {'reviewed' if reviewed else 'wrote'} {_WORDS[like]}" for reviewed, like in _LAST]
    rest = ["turned 60", "turned 720", "hours", "files", "author 60", "author 720", "trust", "tenure"]
    return (*sums, *(f"share of {name}" for name in sums), *lasts, *rest)


NAMES = _names()
"""What each column holds: sums by half-life in days, their shares among the candidates, days since
the last time, and circumstances."""
_SUMS = (len(NAMES) - len(_LAST) - 8) // 2


def evidence(past: Past, question: Question, seen: float, window: int = WINDOW) -> Evidence:
    """What commits no later than `seen` (days) say of everyone but the author.

    Commits after `seen` may be in the arrays; they are not looked at. A candidate is whoever
    reviewed or wrote any of the last `window` commits.
    """
    high = int(np.searchsorted(past.at, seen, side="right"))
    return evidence_before(past, question, high, window)


def evidence_before(past: Past, question: Question, high: int, window: int = WINDOW) -> Evidence:
    """As `evidence`, of the commits below place `high`."""
    low = max(0, high - window)
    first, last = np.searchsorted(past.review, (low, high))
    review, reviewer = past.review[first:last] - low, past.reviewer[first:last]
    author, age = past.author[low:high], question.at - past.at[low:high]
    likeness = _likeness(past, question, low, high)
    fading = np.exp2(-np.maximum(age, 0.0) / HALF_LIVES[:, None])
    sums = np.empty((_SUMS, past.people))
    row = 0
    for like, lives in _REVIEWED:
        for life in lives:
            weight = (likeness[like] * fading[life])[review]
            sums[row] = np.bincount(reviewer, weight, past.people)
            row += 1
    for like, lives in _WROTE:
        for life in lives:
            sums[row] = np.bincount(author, likeness[like] * fading[life], past.people)
            row += 1
    returned = np.zeros(high - low)
    returned[review[reviewer == question.author]] = 1.0
    for life in _RETURNED:
        sums[row] = np.bincount(author, returned * fading[life], past.people)
        row += 1
    present = np.bincount(reviewer, minlength=past.people) + np.bincount(author, minlength=past.people) > 0
    if question.author >= 0:
        present[question.author] = False
    people = np.flatnonzero(present)
    sums = sums[:, people]
    shares = sums / (sums.sum(1, keepdims=True) + 1e-3)
    roles = ((np.arange(high - low), author), (review, reviewer))
    lasts = [_since(likeness[like], roles[role], age, past.people)[people] for role, like in _LAST]
    rest = _circumstances(past, question, low, high, people, sums)
    return Evidence(people, np.concatenate((sums, shares, lasts, rest)).T.astype(np.float32))


def _likeness(past: Past, question: Question, low: int, high: int) -> Floats:
    """How like the question each commit is: float64[PARTS + 3, high - low], each 0 to 1.4.

    Parts by Jaccard's index; then same author, same author weighted by parts, and one for all.
    """
    size = high - low
    common = np.zeros((PARTS, size))
    asked = np.zeros(PARTS)
    for part in parts(question.files):
        asked[part[0]] += 1
        found = past.places.get(part)
        if found is not None:
            first, last = np.searchsorted(found, (low, high))
            common[part[0], found[first:last] - low] += 1
    either = past.widths[:, low:high] + asked[:, None] - common
    like = np.empty((PARTS + 3, size))
    like[:PARTS] = common / np.maximum(either, 1.0)
    like[_SAME] = (past.author[low:high] == question.author) & (question.author >= 0)
    like[_NEAR] = like[_SAME] * (0.2 + like[FOLDER] + like[FILE])
    like[_ALL] = 1.0
    return like


def _since(like: Floats, role: tuple[Places, Places], age: Floats, people: int) -> Floats:
    """Logarithm of the hours since each person's last like commit, negated: recent is large."""
    rows, person = role
    days = np.full(people, FAR)
    held = np.flatnonzero(like[rows] > 0)
    # Ascending in time: the last one written is the latest.
    days[person[held]] = age[rows[held]]
    since: Floats = -np.log1p(np.clip(days, 0.0, FAR) * 24)
    return since


def _circumstances(
    past: Past, question: Question, low: int, high: int, people: Places, sums: Floats
) -> Floats:
    """What is no sum over reviews: float64[8, c]."""
    everything, pairs = sums[:7], sums[7:14]
    turned = pairs[[4, 6]] / (everything[[4, 6]] + 0.5)
    hour = np.mod(question.at, 1.0)
    first, last = np.searchsorted(past.review, (low, high))
    review, reviewer = past.review[first:last], past.reviewer[first:last]
    apart = np.abs(np.mod(past.at[review], 1.0) - hour)
    beside = np.minimum(apart, 1 - apart) < 0.125
    counts = np.bincount(reviewer, minlength=past.people)[people]
    awake = np.bincount(reviewer, beside, past.people)[people]
    hours = (awake + 1.0) / (counts + 4.0)
    begun = np.full(past.people, question.at)
    rows = np.arange(high - 1, low - 1, -1)
    begun[past.author[rows]] = past.at[rows]
    begun[reviewer[::-1]] = np.minimum(begun[reviewer[::-1]], past.at[review[::-1]])
    whole = np.ones(len(people))
    top = pairs[4].max(initial=0.0) / (pairs[4].sum() + 0.5)
    return np.array(
        [
            *turned,
            hours,
            np.log1p(len(question.files)) * whole,
            np.log1p(pairs[4].sum()) * whole,
            np.log1p(pairs[6].sum()) * whole,
            top * whole,
            np.log1p(question.at - begun[people]),
        ]
    )
