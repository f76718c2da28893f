"""What is learned of a repository's reviewers, kept beside its arrays and learned anew as it grows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np

from graph.facts import Scope
from graph.ingest.notebook import replace_file
from graph.progress import Progress, silent
from graph.queries.contributions import Contributions
from graph.workspace import Workspace
from models import reviewers
from models.boosting import Booster
from models.reviewers import ReviewersConfig
from models.reviews import NAMES, Commit, Past

CONFIG = ReviewersConfig()
GROWN = 0.1
"""Share of new reviews from which on the model is learned anew; what it looks at is always new."""
_FILE = "reviewers-1.msgpack"


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A model on disk: arrays as (type, shape, bytes)."""

    fingerprint: str
    commit: str
    reviews: int
    examples: int
    arrays: tuple[tuple[str, tuple[int, ...], bytes], ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned, up to which commit, and from how many reviewed commits; no booster: the rule."""

    booster: Booster | None
    commit: str
    examples: int


_ready: OrderedDict[tuple[Path, str], Learned] = OrderedDict()
READY = 4
"""Repositories whose model is kept in memory."""


def past_of(contributions: Contributions, without: Iterable[str] = ()) -> Past:
    """A repository's contributions as the model takes them; whoever wrote with another did so too."""
    left_out = frozenset(without)
    commits = []
    for entry in contributions.commits:
        if entry.commit in left_out or not entry.authors:
            continue
        at = entry.at / 86_400
        commits.append(Commit(at, entry.authors[0], entry.reviewers, entry.files))
        commits += [Commit(at, other, (), entry.files) for other in entry.authors[1:]]
    return Past.of(commits, len(contributions.people))


def learned(
    workspace: Workspace,
    scope: Scope,
    contributions: Contributions,
    progress: Progress = silent,
    config: ReviewersConfig = CONFIG,
) -> Learned:
    """The model of a repository: the kept one while few reviews are new, else learned and kept."""
    reviews = sum(1 for commit in contributions.commits if commit.reviewers)
    if reviews < config.least:
        return Learned(None, "", 0)
    place = workspace.cache(scope) / _FILE
    newest = contributions.commits[-1].commit
    fingerprint = _fingerprint(config)
    kept = _read(place)
    if (
        kept is not None
        and kept.fingerprint == fingerprint
        and kept.commit in contributions.by_id
        and kept.reviews <= reviews <= kept.reviews * (1 + GROWN)
    ):
        return _opened(place, kept)
    progress(f"learning from {min(reviews, config.learn):,} reviews", 0, 0)
    booster, examples = reviewers.learn(past_of(contributions), config)
    parts = tuple((str(a.dtype), a.shape, a.tobytes()) for a in booster) if booster is not None else ()
    kept = _Kept(fingerprint, newest, reviews, examples, parts)
    workspace.prepare(scope)
    replace_file(place, msgspec.msgpack.encode(kept))
    return _opened(place, kept)


def _fingerprint(config: ReviewersConfig) -> str:
    return blake2b(repr((config, NAMES, reviewers.RULE)).encode(), digest_size=16).hexdigest()


def _read(place: Path) -> _Kept | None:
    """What is kept; None where nothing is, or it is damaged: it is learned again."""
    try:
        return msgspec.msgpack.decode(place.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _opened(place: Path, kept: _Kept) -> Learned:
    key = place, f"{kept.fingerprint} {kept.commit} {kept.reviews}"
    found = _ready.get(key)
    if found is None:
        arrays = [np.frombuffer(data, kind).reshape(shape) for kind, shape, data in kept.arrays]
        booster = Booster(*arrays) if arrays else None
        found = _ready[key] = Learned(booster, kept.commit, kept.examples)
        while len(_ready) > READY:
            _ready.popitem(last=False)
    return found
