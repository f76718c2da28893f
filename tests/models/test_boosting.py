"""The booster against the definition, written slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import boosting
from models.boosting import BoostConfig

SMALL = BoostConfig(trees=3, depth=2, bins=4, columns=1.0, groups=1.1, rate=0.5, shrinkage=1.0)


def example(seed: int, groups: int = 12, columns: int = 3):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 6, groups)
    rows = generator.integers(0, 4, (sizes.sum(), columns)).astype(np.float32)
    right = np.zeros(len(rows), bool)
    first = 0
    for size in sizes:
        right[first + int(np.argmax(rows[first : first + size, 0]))] = True
        first += size
    return rows, right, sizes.astype(np.int64)


def slow_slopes(score, right, sizes):
    """d/ds of log(sum of right exp(s) / sum of exp(s)), and p (1 - p), one row at a time."""
    slope, curve, first = [], [], 0
    for size in sizes:
        powers = [math.exp(x) for x in score[first : first + size]]
        total, good = (
            sum(powers),
            sum(p for p, r in zip(powers, right[first : first + size], strict=False) if r),
        )
        for power, is_right in zip(powers, right[first : first + size], strict=False):
            chance = power / total
            slope.append((power / good if is_right else 0.0) - chance)
            curve.append(chance * (1 - chance))
        first += size
    return slope, curve


def slow_fit(rows, right, sizes, config):
    """Level by level, every question tried by sums over plain lists."""
    score = [0.0] * len(rows)
    limits = [sorted(set(rows[:, c].tolist()))[:-1] for c in range(rows.shape[1])]
    trees = []
    for _ in range(config.trees):
        slope, curve = slow_slopes(score, right, sizes)
        node = [0] * len(rows)
        questions = []
        for level in range(config.depth):
            best, chosen = -math.inf, None
            for column, edges in enumerate(limits):
                for limit in edges:
                    gain = 0.0
                    for at in range(1 << level):
                        for side in (False, True):
                            held = [
                                i
                                for i in range(len(rows))
                                if node[i] == at and (rows[i, column] > limit) == side
                            ]
                            gain += sum(slope[i] for i in held) ** 2 / (
                                sum(curve[i] for i in held) + config.shrinkage
                            )
                    if gain > best + 1e-12:
                        best, chosen = gain, (column, limit)
            assert chosen is not None
            questions.append(chosen)
            node = [n + ((rows[i, chosen[0]] > chosen[1]) << level) for i, n in enumerate(node)]
        leaf = []
        for at in range(1 << config.depth):
            held = [i for i, n in enumerate(node) if n == at]
            leaf.append(
                config.rate * sum(slope[i] for i in held) / (sum(curve[i] for i in held) + config.shrinkage)
            )
        score = [s + leaf[n] for s, n in zip(score, node, strict=False)]
        trees.append((questions, leaf))
    return score


@pytest.mark.parametrize("seed", range(4))
def test_learns_what_the_slow_definition_learns(seed):
    rows, right, sizes = example(seed)
    booster = boosting.fit(rows, right, sizes, SMALL, np.zeros(len(rows)), np.ones(len(sizes)))
    assert boosting.predict(booster, rows) == pytest.approx(slow_fit(rows, right, sizes, SMALL), abs=1e-9)


def test_a_clear_choice_is_learned_and_holds_on_other_groups():
    config = BoostConfig(trees=40, depth=3)
    booster = boosting.fit(*example(1, 200), config, np.zeros(example(1, 200)[0].shape[0]), np.ones(200))
    rows, right, sizes = example(2, 100)
    chance = boosting.chances(boosting.predict(booster, rows), sizes)
    ends = np.cumsum(sizes)
    hits = [
        right[end - size + np.argmax(chance[end - size : end])]
        or (rows[end - size : end, 0] == rows[end - size : end, 0].max()).sum() > 1
        for end, size in zip(ends, sizes, strict=True)
    ]
    assert np.mean(hits) > 0.97


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    rows, right, sizes = example(3, 60, 8)
    fits = [
        boosting.fit(rows, right, sizes, BoostConfig(trees=5, seed=seed), np.zeros(len(rows)), np.ones(60))
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(fits[0].column, fits[1].column) and np.array_equal(fits[0].leaf, fits[1].leaf)
    assert not (np.array_equal(fits[0].column, fits[2].column) and np.array_equal(fits[0].leaf, fits[2].leaf))


def test_groups_without_a_right_row_and_of_weight_nothing_teach_nothing():
    rows, right, sizes = example(4)
    none = boosting.fit(rows, np.zeros_like(right), sizes, SMALL, np.zeros(len(rows)), np.ones(len(sizes)))
    weightless = boosting.fit(rows, right, sizes, SMALL, np.zeros(len(rows)), np.zeros(len(sizes)))
    assert not none.leaf.any() and not weightless.leaf.any()


def test_prediction_of_no_rows_and_of_no_trees():
    rows, right, sizes = example(5)
    booster = boosting.fit(rows, right, sizes, SMALL, np.zeros(len(rows)), np.ones(len(sizes)))
    assert boosting.predict(booster, rows[:0]).shape == (0,)
    none = boosting.fit(rows, right, sizes, BoostConfig(trees=0), np.zeros(len(rows)), np.ones(len(sizes)))
    assert boosting.predict(none, rows).tolist() == [0.0] * len(rows)


@given(st.lists(st.lists(st.floats(-700, 700), min_size=1, max_size=5), min_size=1, max_size=5))
@settings(max_examples=50)
def test_chances_sum_to_one_in_each_group(groups):
    sizes = np.array([len(group) for group in groups])
    chance = boosting.chances(np.array([x for group in groups for x in group]), sizes)
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    assert np.add.reduceat(chance, first) == pytest.approx(1)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=300))
@settings(max_examples=50)
def test_bins_keep_the_order_of_values(values):
    rows = np.array(values, np.float32)[:, None]
    edges = boosting._edges(rows, 8)
    codes = boosting._binned(rows, edges)[:, 0]
    order = np.argsort(rows[:, 0], kind="stable")
    assert (np.diff(codes[order].astype(int)) >= 0).all() and codes.max() < 8
    if len(set(values)) <= 8:
        assert len(set(codes.tolist())) == len(set(rows[:, 0].tolist()))
