"""Who should review a change: a rule over what the past says, and a model that corrects it.

The rule is a fixed sum that works from a repository's first reviews on. The model starts from the
rule and learns from the repository's own past alone how its people really choose: trees
(`models.boosting`) over the same evidence. Where there is too little past, the rule stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import boosting
from models.boosting import BoostConfig, Booster
from models.reviews import NAMES, Evidence, Past, Question, evidence, evidence_before

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.int64]

_COLUMN = {name: at for at, name in enumerate(NAMES)}

RULE: tuple[tuple[str, float], ...] = (
    ("reviewed near 21", 1.0),
    ("reviewed near 60", 0.5),
    ("reviewed near 7", 0.5),
    ("reviewed author 180", 0.1),
    ("reviewed folder 60", 0.2),
    ("reviewed folder 180", 0.3),
    ("reviewed file 180", 0.2),
    ("wrote folder 180", 0.1),
    ("wrote file 720", 0.2),
    ("reviewed all 7", 0.02),
    ("reviewed all 60", 0.01),
    ("reviewed all 720", 0.002),
    ("wrote all 180", 0.002),
)
"""Weights of the rule: the same author's like changes first, then the places, then who is about."""
_PLACES = np.array([_COLUMN[name] for name, _ in RULE])
_WEIGHTS = np.array([weight for _, weight in RULE])


@dataclass(frozen=True, slots=True)
class ReviewersConfig:
    """How the model is learned; one setting for every repository."""

    boost: BoostConfig = field(default_factory=BoostConfig)
    candidates: int = 30
    """The rule's best, whom the model puts in order."""
    learn: int = 3_000
    """Newest reviewed commits that are learned from: what bounds the time."""
    least: int = 150
    """Reviewed commits below which the rule stands alone."""
    fading: float = 1_500.0
    """Reviewed commits after which an example counts half."""
    delay: float = 1.0
    """Days between what an example may know and its own time, as when a change is opened."""


class Example(NamedTuple):
    """A reviewed commit to learn from: rows float32[c, f], which are right bool[c], rule float64[c]."""

    rows: NDArray[np.float32]
    right: Bools
    rule: Floats


class Ranking(NamedTuple):
    """Candidates, best first: their numbers, and the chance that each is the one who reviews."""

    people: Places
    chance: Floats
    rows: NDArray[np.float32]
    """Evidence of each, in the same order."""


def rule(found: Evidence) -> Floats:
    """What the fixed sum says of each candidate: float64[c], above 0."""
    score: Floats = found.rows[:, _PLACES].astype(np.float64) @ _WEIGHTS + 1e-9
    return score


def shortlist(found: Evidence, count: int) -> tuple[Evidence, Floats]:
    """The rule's best, best first, and the logarithm of the share that the rule gives each."""
    score = rule(found)
    order = np.argsort(-score, kind="stable")[:count]
    shares = np.log(score[order] / score[order].sum() + 1e-3) if len(order) else np.zeros(0)
    return Evidence(found.people[order], found.rows[order]), shares


def example(past: Past, place: int, config: ReviewersConfig) -> Example | None:
    """What could be known `delay` days before a reviewed commit, and who reviewed it.

    None where no reviewer was among the candidates: nothing can be learned then.
    """
    reviewers = past.reviewer[slice(*np.searchsorted(past.review, (place, place + 1)))]
    high = min(place, int(np.searchsorted(past.at, past.at[place] - config.delay, side="right")))
    asked = past.question(place)
    found, shares = shortlist(evidence_before(past, asked, high), config.candidates)
    right = np.isin(found.people, reviewers[reviewers != asked.author])
    return Example(found.rows, right, shares) if right.any() else None


def fit(examples: Sequence[Example], config: ReviewersConfig) -> Booster | None:
    """Learn from examples, oldest first; None where they are too few and the rule is to stand alone."""
    kept = examples[-config.learn :]
    if len(kept) < config.least:
        return None
    weight = np.exp2(-np.arange(len(kept))[::-1] / config.fading)
    return boosting.fit(
        np.concatenate([each.rows for each in kept]),
        np.concatenate([each.right for each in kept]),
        np.array([len(each.right) for each in kept], np.int64),
        config.boost,
        np.concatenate([each.rule for each in kept]),
        weight,
    )


def learn(past: Past, config: ReviewersConfig) -> tuple[Booster | None, int]:
    """Learn from the newest reviewed commits of a past; also how many there were to learn from."""
    places = np.unique(past.review)[-config.learn :].tolist()
    examples = [found for place in places if (found := example(past, place, config)) is not None]
    return fit(examples, config), len(examples)


def predict(
    past: Past, question: Question, seen: float, booster: Booster | None, config: ReviewersConfig
) -> Ranking:
    """Who is likely to review this change, by what was there at `seen` (days); best first."""
    return order(evidence(past, question, seen), booster, config)


def order(found: Evidence, booster: Booster | None, config: ReviewersConfig) -> Ranking:
    """Candidates in order; `chance` sums to 1 over the rule's best, whom alone it returns."""
    best, score = shortlist(found, config.candidates)
    if booster is not None:
        score = score + boosting.predict(booster, best.rows)
    chance = boosting.chances(score, np.array([len(score)], np.int64))
    places = np.argsort(-chance, kind="stable")
    return Ranking(best.people[places], chance[places], best.rows[places])


def recent_reviews(ranking: Ranking) -> Floats:
    """Reviews that each candidate did, fading to a half within 21 days: float64[c]."""
    return ranking.rows[:, _COLUMN["reviewed all 21"]].astype(np.float64)


def spread(
    ranking: Ranking, gain: Floats, recent: Floats, *, load: float = 1.5, teach: float = 0.5
) -> Places:
    """Places of a ranking in an order that spreads the work and what is known.

    Among those with a tenth of the best one's chance or more, each loses by the logarithm of the
    reviews that they did of late beside what is usual among them, and wins by `gain`.

    Parameters
    ----------
    gain : float64[c]
        Share of the change's files that one person alone knows, and that is not this candidate.
    recent : float64[c]
        Reviews that each did of late, as `recent_reviews` has them.
    """
    if not len(ranking.people):
        return np.zeros(0, np.int64)
    worth = ranking.chance >= 0.1 * ranking.chance[0]
    usual = max(float(recent[worth].mean()), 1e-6)
    score = np.log(ranking.chance + 1e-12) - load * np.log1p(recent / usual) + teach * gain
    places: Places = np.lexsort((-score, ~worth))
    return places


def gini(counts: Floats) -> float:
    """Concentration of counts: 0 where all are equal, near 1 where one has everything.

    C. Gini (1912), as the mean absolute difference over twice the mean.
    """
    ordered = np.sort(np.asarray(counts, np.float64))
    total = ordered.sum()
    if not total:
        return 0.0
    size = len(ordered)
    return float((2 * np.arange(1, size + 1) - size - 1) @ ordered / (size * total))
