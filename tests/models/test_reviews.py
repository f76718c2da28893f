"""Evidence against a slow reading of what each column says, and that it never looks ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.reviews import NAMES, Commit, Past, Question, evidence, parts

PEOPLE = 5
paths = st.sampled_from(
    ["a/x.py", "a/test_x.py", "a/b/y.py", "a/b/c/z.py", "top.py", "d/x_test.go", "d/x.go"]
)


@st.composite
def histories(draw):
    days = sorted(draw(st.lists(st.floats(0, 400), min_size=1, max_size=12)))
    commits = []
    for day in days:
        author = draw(st.integers(0, PEOPLE - 1))
        reviewers = draw(
            st.sets(st.integers(0, PEOPLE - 1).filter(lambda who, a=author: who != a), max_size=2)
        )
        commits.append(Commit(day, author, tuple(sorted(reviewers)), tuple(draw(st.sets(paths, max_size=3)))))
    return commits


def jaccard(one, other):
    return len(one & other) / len(one | other) if one | other else 0.0


def slow(commits, question):
    """Columns by name for each person, by their definition."""
    sort = {"file": 0, "stem": 1, "folder": 2, "two": 3, "top": 4}

    def like(commit, word):
        mine, theirs = parts(question.files), parts(commit.files)
        shares = {
            w: jaccard({p for p in mine if p[0] == k}, {p for p in theirs if p[0] == k})
            for w, k in sort.items()
        }
        same = float(commit.author == question.author)
        return {
            **shares,
            "all": 1.0,
            "author": same,
            "near": same * (0.2 + shares["folder"] + shares["file"]),
        }[word]

    found = {}
    for person in range(PEOPLE):
        if person == question.author or not any(person in (c.author, *c.reviewers) for c in commits):
            continue
        row = {}
        for name in NAMES:
            role, _, rest = name.partition(" ")
            word, _, life = rest.rpartition(" ")
            if role in ("reviewed", "wrote"):
                part = [
                    c
                    for c in commits
                    if (person in c.reviewers if role == "reviewed" else person == c.author)
                ]
                row[name] = sum(like(c, word) * 0.5 ** ((question.at - c.at) / float(life)) for c in part)
            elif role == "returned":
                part = [c for c in commits if person == c.author and question.author in c.reviewers]
                row[name] = sum(0.5 ** ((question.at - c.at) / float(rest)) for c in part)
            elif role == "since":
                doing, _, word = rest.partition(" ")
                part = [
                    c.at
                    for c in commits
                    if like(c, word) > 0
                    and (person in c.reviewers if doing == "reviewed" else person == c.author)
                ]
                row[name] = -math.log1p(24 * (min(question.at - max(part), 4000) if part else 4000))
        found[person] = row
    return found


@given(histories(), st.integers(-1, PEOPLE - 1), st.sets(paths, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_columns_are_what_their_names_say(commits, author, files):
    question = Question(401.0, author, tuple(sorted(files)))
    found = evidence(Past.of(commits, PEOPLE), question, 401.0)
    expected = slow(commits, question)
    assert found.people.tolist() == sorted(expected)
    for person, row in zip(found.people.tolist(), found.rows, strict=True):
        for name, value in expected[person].items():
            assert row[NAMES.index(name)] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    for at, name in enumerate(NAMES):
        if name.startswith("share of ") and len(found.people):
            column = found.rows[:, NAMES.index(name.removeprefix("share of "))].astype(float)
            assert found.rows[:, at] == pytest.approx(column / (column.sum() + 1e-3), abs=1e-5)


@given(histories(), histories(), st.floats(0, 400), st.integers(0, PEOPLE - 1))
@settings(max_examples=60, deadline=None)
def test_nothing_later_than_what_was_seen_counts(commits, later, seen, author):
    before = [commit for commit in commits if commit.at <= seen]
    after = sorted((commit for commit in later if commit.at > seen), key=lambda commit: commit.at)
    question = Question(seen, author, ("a/x.py", "d/x.go"))
    short = evidence(Past.of(before, PEOPLE), question, seen)
    long = evidence(Past.of(before + after, PEOPLE), question, seen)
    assert np.array_equal(short.people, long.people) and np.array_equal(short.rows, long.rows)


def test_every_value_is_a_number_with_no_past_and_with_an_unknown_author():
    empty = evidence(Past.of([], 3), Question(5.0, -1, ("a.py",)), 5.0)
    assert empty.rows.shape == (0, len(NAMES)) and not len(empty.people)
    past = Past.of([Commit(1.0, 0, (1,), ()), Commit(1.0, 1, (), ("a.py",))], 3)
    found = evidence(past, Question(5.0, -1, ()), 5.0)
    assert found.people.tolist() == [0, 1] and np.isfinite(found.rows).all()


def test_commits_out_of_order_are_refused():
    with pytest.raises(ValueError, match="order of time"):
        Past.of([Commit(2.0, 0, (), ()), Commit(1.0, 0, (), ())], 1)


def test_the_window_bounds_what_is_looked_at():
    past = Past.of([Commit(float(day), day % 3, (), ("a.py",)) for day in range(9)], 3)
    assert evidence(past, Question(9.0, -1, ("a.py",)), 9.0, window=2).people.tolist() == [1, 2]


def test_a_test_and_its_module_share_a_stem():
    stems = [
        {part for sort, part in parts([path]) if sort == 1}
        for path in ("d/x.go", "d/x_test.go", "d/test_x.py")
    ]
    assert stems == [{"d/x"}] * 3
