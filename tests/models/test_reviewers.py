"""The ranker: the rule alone, what is learned, the order that spreads."""

from __future__ import annotations

import numpy as np
import pytest

from models import reviewers
from models.boosting import BoostConfig
from models.reviewers import Ranking, ReviewersConfig
from models.reviews import NAMES, Commit, Past, Question

QUICK = ReviewersConfig(boost=BoostConfig(trees=30, depth=3), least=40)


def past(count: int = 200) -> Past:
    """Authors 0 and 1; 2 reviews what 0 writes, 3 what 1 writes, whatever the files; 4 writes alone."""
    commits = []
    for day in range(count):
        author = day % 2
        commits.append(Commit(float(day), author, (2 + author,), (f"p{day % 5}/m.py",)))
        commits.append(Commit(day + 0.5, 4, (), (f"p{day % 5}/m.py",)))
    return Past.of(commits, 5)


@pytest.mark.parametrize("author", [0, 1])
def test_who_reviews_an_author_comes_first_by_the_rule_and_by_the_model(author):
    learned, count = reviewers.learn(past(), QUICK)
    assert learned is not None and count > 150
    for booster in (None, learned):
        ranking = reviewers.predict(past(), Question(200.0, author, ("p1/m.py",)), 200.0, booster, QUICK)
        assert ranking.people[0] == 2 + author
        assert author not in ranking.people.tolist()
        assert ranking.chance.sum() == pytest.approx(1) and (np.diff(ranking.chance) <= 0).all()


def test_the_model_is_surer_than_the_rule_where_habits_are_plain():
    learned, _ = reviewers.learn(past(), QUICK)
    chances = [
        reviewers.predict(past(), Question(200.0, 0, ("new.py",)), 200.0, booster, QUICK).chance[0]
        for booster in (None, learned)
    ]
    assert chances[1] > chances[0]


def test_too_little_past_leaves_the_rule_alone():
    booster, count = reviewers.learn(past(30), QUICK)
    assert booster is None and 0 < count < QUICK.least
    booster, count = reviewers.learn(Past.of([], 0), QUICK)
    assert booster is None and count == 0


def test_nobody_is_ranked_where_nobody_is_known():
    ranking = reviewers.predict(Past.of([], 0), Question(1.0, -1, ("a.py",)), 1.0, None, QUICK)
    assert not len(ranking.people) and not len(ranking.chance)
    assert not len(spread(ranking, np.zeros(0)))


def test_an_example_knows_nothing_of_its_last_day():
    found = past()
    place = int(found.review[-1])
    alone = Past.of([Commit(0.0, 0, (2,), ("a.py",)), Commit(0.5, 0, (3,), ("a.py",))], 4)
    assert reviewers.example(alone, 1, QUICK) is None
    early = reviewers.example(found, place, ReviewersConfig(delay=1.0))
    late = reviewers.example(found, place, ReviewersConfig(delay=0.0))
    assert early is not None and late is not None and not np.array_equal(early.rows, late.rows)


def ranking(chance: list[float], recent: list[float]) -> Ranking:
    rows = np.zeros((len(chance), len(NAMES)), np.float32)
    rows[:, NAMES.index("reviewed all 21")] = recent
    return Ranking(np.arange(len(chance)), np.array(chance), rows)


def spread(found, gain):
    return reviewers.spread(found, gain, reviewers.recent_reviews(found))


def test_a_loaded_reviewer_gives_way_to_one_nearly_as_good_and_not_to_a_stranger():
    found = ranking([0.5, 0.45, 0.02], [30.0, 1.0, 0.0])
    assert spread(found, np.zeros(3)).tolist() == [1, 0, 2]


def test_who_would_learn_what_one_alone_knows_comes_forward():
    found = ranking([0.40, 0.38], [1.0, 1.0])
    assert spread(found, np.zeros(2)).tolist() == [0, 1]
    assert spread(found, np.array([0.0, 1.0])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("counts", "expected"), [([], 0.0), ([0, 0], 0.0), ([3, 3, 3], 0.0), ([0, 0, 0, 4], 0.75), ([1, 3], 0.25)]
)
def test_gini(counts, expected):
    slow = 0.0
    if sum(counts):
        size = len(counts)
        slow = sum(abs(a - b) for a in counts for b in counts) / (2 * size * sum(counts))
    assert reviewers.gini(np.array(counts, float)) == pytest.approx(expected) == slow
