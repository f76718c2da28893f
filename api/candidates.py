"""Candidates for a review: habits and knowledge of the cone's symbols, pooled into one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from api.ranking import CONFIG, Learned, past_of
from graph.queries.expertise import Known
from graph.queries.reviewers import Sight, weigh_expertise
from models import reviewers
from models.reviewers import Ranking
from models.reviews import NAMES, Evidence, Question, evidence

POOL = {"model": 0.15, "rule": 0.3, "unreviewed": 0.6}
"""How much the commits behind the cone's symbols count beside habits (a linear pool: Stone, "The
opinion pool", 1961): habits that were learned, those of the rule, and a history without reviews."""


@dataclass(frozen=True)
class Candidates:
    """People by place in the contributions, best first.

    Attributes
    ----------
    score, chance, expertise : dict
        The pool, and both that it is made of; each sums to 1 over all candidates at most.
    rows : dict
        Evidence of those whom habits know: float32[len(NAMES)].
    """

    score: dict[int, float]
    chance: dict[int, float]
    expertise: dict[int, float]
    rows: dict[int, NDArray[np.float32]]

    def without(self, people: Iterable[int]) -> Candidates:
        """The others, in the same order."""
        left_out = set(people)
        return replace(self, score={who: score for who, score in self.score.items() if who not in left_out})

    def spread(self, risks: Mapping[str, set[int]], files: int) -> dict[int, int]:
        """Place of each, from 1, in the order that spreads work and knowledge.

        Parameters
        ----------
        risks : mapping
            Who knows each file that too few know; they would learn nothing of it.
        files : int
            How many files the change touches.
        """
        people = list(self.score)
        blank = np.zeros(len(NAMES), np.float32)
        rows = np.array([self.rows.get(who, blank) for who in people]).reshape(-1, len(NAMES))
        gain = [sum(who not in knows for knows in risks.values()) / max(files, 1) for who in people]
        ranking = Ranking(np.array(people, np.int64), np.array(list(self.score.values())), rows)
        recent = reviewers.recent_reviews(ranking)
        order = reviewers.spread(ranking, np.array(gain, np.float64), recent)
        return {people[at]: place for place, at in enumerate(order.tolist(), 1)}


def gather(sight: Sight, known: Sequence[Known], learned: Learned) -> Candidates:
    """Everybody worth asking, the authors and bots apart, best first."""
    contributions = sight.contributions
    past = past_of(contributions, sight.own)
    asked = Question(sight.at / 86_400, sight.author, sight.files)
    found = evidence(past, asked, sight.at / 86_400)
    nobody = {place for place, person in enumerate(contributions.people) if person.bot} | sight.authors
    kept = np.array([who not in nobody for who in found.people.tolist()], np.bool_)
    ranking = reviewers.order(Evidence(found.people[kept], found.rows[kept]), learned.booster, CONFIG)
    chance = dict(zip(ranking.people.tolist(), ranking.chance.tolist(), strict=True))
    expertise = weigh_expertise(sight, known)
    method = "model" if learned.booster is not None else "rule" if len(past.review) else "unreviewed"
    # Where nobody is known to have changed what the cone holds, habits are all there is, and the reverse.
    weight = POOL[method] if expertise and chance else float(not chance)
    pooled = {
        who: (1 - weight) * chance.get(who, 0.0) + weight * expertise.get(who, 0.0)
        for who in chance.keys() | expertise.keys()
    }
    order = sorted(pooled, key=lambda who: (-pooled[who], contributions.people[who].key))
    rows = dict(zip(ranking.people.tolist(), ranking.rows, strict=True))
    return Candidates({who: pooled[who] for who in order}, chance, expertise, rows)
