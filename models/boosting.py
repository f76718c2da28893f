"""Gradient-boosted oblivious trees that choose one of a group's rows, in numpy.

Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29
(2001), with the second-order leaf values of Chen and Guestrin, "XGBoost" (KDD 2016). All nodes of
one level ask the same question (Kohavi and Li, "Oblivious decision trees", IJCAI 1995), so that a
tree is a table of 2^depth values and prediction is a few array operations.

The loss of a group is that of a choice (McFadden, 1974): minus the logarithm of the probability,
by softmax over its rows, that the row drawn is one of the right ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Codes = NDArray[np.uint8]
Places = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BoostConfig:
    """How trees are grown. `bins` at most 255; shares are of columns and groups drawn for a tree."""

    trees: int = 120
    depth: int = 5
    rate: float = 0.08
    bins: int = 32
    columns: float = 0.35
    groups: float = 0.6
    shrinkage: float = 5.0
    """Added to the curvature of a leaf: what few rows say is taken with care."""
    seed: int = 1


class Booster(NamedTuple):
    """What was learned: t trees of depth d over f columns.

    `edges` float32[f, bins - 1] separates the bins; a row goes right where its value is above
    `edges[column, place]`. `column`, `place` are int64[t, d]; `leaf` is float64[t, 2^d].
    """

    edges: Matrix
    column: Places
    place: Places
    leaf: Floats


def fit(
    rows: Matrix, right: Bools, sizes: Places, config: BoostConfig, start: Floats, weight: Floats
) -> Booster:
    """Learn to choose.

    Parameters
    ----------
    rows : float32[n, f]
        Rows of all groups, one group after the other.
    right : bool[n]
        Which rows are right; a group without one teaches nothing.
    sizes : int64[g]
        Rows of each group, 1 or more.
    start : float64[n]
        Scores that the trees add to.
    weight : float64[g]
        How much each group counts.
    """
    generator = np.random.default_rng(config.seed)
    edges = _edges(rows, config.bins)
    codes = np.ascontiguousarray(_binned(rows, edges).T)
    groups = len(sizes)
    score = start.astype(np.float64, copy=True)
    columns, places, leaves = [], [], []
    owner = np.repeat(np.arange(groups), sizes)
    for _ in range(config.trees):
        drawn = generator.random(groups) < config.groups
        kept = np.flatnonzero(drawn[owner])
        subset = generator.permutation(len(codes))[: max(1, round(len(codes) * config.columns))]
        if not len(kept):
            continue
        slope, curve = _slopes(score[kept], right[kept], sizes[drawn], weight[drawn])
        column, place = _grow(codes, kept, slope, curve, np.sort(subset), config)
        leaf = _leaves(codes, column, place)
        count = 1 << config.depth
        inside = leaf[kept]
        slopes = np.bincount(inside, slope, count)
        values = config.rate * slopes / (np.bincount(inside, curve, count) + config.shrinkage)
        score += values[leaf]
        columns.append(column)
        places.append(place)
        leaves.append(values)
    depth = config.depth
    return Booster(
        edges,
        np.array(columns, np.int64).reshape(-1, depth),
        np.array(places, np.int64).reshape(-1, depth),
        np.array(leaves, np.float64).reshape(-1, 1 << depth),
    )


def predict(booster: Booster, rows: Matrix) -> Floats:
    """What the trees add to each row's score: float64[n]."""
    if not len(rows) or not len(booster.leaf):
        return np.zeros(len(rows))
    limits = booster.edges[booster.column, booster.place]
    above = rows[:, booster.column] > limits
    powers = 1 << np.arange(booster.column.shape[1])
    leaf = (above * powers).sum(2)
    scores: Floats = booster.leaf[np.arange(len(booster.leaf)), leaf].sum(1)
    return scores


def chances(score: Floats, sizes: Places) -> Floats:
    """Softmax of the scores within each group of consecutive rows."""
    if not len(score):
        return np.zeros(0)
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    powers = np.exp(score - np.maximum.reduceat(score, first)[owner])
    shares: Floats = powers / np.add.reduceat(powers, first)[owner]
    return shares


def _slopes(score: Floats, right: Bools, sizes: Places, weight: Floats) -> tuple[Floats, Floats]:
    """First derivative of the gain, and its curvature, for each row."""
    chance = chances(score, sizes)
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    hit = np.where(right, chance, 0.0)
    total = np.add.reduceat(hit, first)
    known = (total > 0)[owner]
    target = hit / np.where(total > 0, total, 1.0)[owner]
    counts = weight[owner] * known
    return (target - chance) * counts, chance * (1 - chance) * counts


def _edges(rows: Matrix, bins: int) -> Matrix:
    """Quantiles of the distinct values of each column: float32[f, bins - 1], the rest +inf."""
    found = np.full((rows.shape[1], bins - 1), np.inf, np.float32)
    for at in range(rows.shape[1]):
        values = np.unique(rows[:, at])
        if len(values) > bins:
            # Quantiles of the rows, not of the distinct values, except that the many equal ones count once.
            crowd = np.unique(np.quantile(rows[:, at], np.linspace(0, 1, bins * 4)[1:-1]))
            steps = np.linspace(0, len(crowd) - 1, bins - 1).round().astype(int)
            values = np.unique(np.concatenate((crowd[steps], values[:1])))
        limits = values[:-1][: bins - 1]
        found[at, : len(limits)] = limits
    return found


def _binned(rows: Matrix, edges: Matrix) -> Codes:
    """Bin of each value: how many edges lie below it."""
    codes = np.empty(rows.shape, np.uint8)
    for at in range(rows.shape[1]):
        codes[:, at] = np.searchsorted(edges[at], rows[:, at], side="left")
    return codes


def _grow(
    codes: Codes, kept: Places, slope: Floats, curve: Floats, subset: Places, config: BoostConfig
) -> tuple[Places, Places]:
    """The question of each level: the one that gains most over all nodes."""
    column = np.zeros(config.depth, np.int64)
    place = np.zeros(config.depth, np.int64)
    node = np.zeros(len(kept), np.int64)
    rows = {at: codes[at][kept].astype(np.int64) for at in subset.tolist()}
    for level in range(config.depth):
        best = -np.inf
        for at, row in rows.items():
            gains = _gains(node * config.bins + row, slope, curve, 1 << level, config)
            choice = int(np.argmax(gains))
            if gains[choice] > best:
                best, column[level], place[level] = float(gains[choice]), at, choice
        node += (rows[int(column[level])] > place[level]).astype(np.int64) << level
    return column, place


def _gains(cell: Places, slope: Floats, curve: Floats, nodes: int, config: BoostConfig) -> Floats:
    """Gain of splitting every node after each bin: float64[bins - 1]."""
    size = nodes * config.bins
    slopes = np.bincount(cell, slope, size).reshape(nodes, config.bins)
    curves = np.bincount(cell, curve, size).reshape(nodes, config.bins)
    left_slope, left_curve = np.cumsum(slopes, 1), np.cumsum(curves, 1)
    all_slope, all_curve = left_slope[:, -1:], left_curve[:, -1:]
    gain = left_slope**2 / (left_curve + config.shrinkage)
    gain += (all_slope - left_slope) ** 2 / (all_curve - left_curve + config.shrinkage)
    total: Floats = gain.sum(0)[:-1]
    return total


def _leaves(codes: Codes, column: Places, place: Places) -> Places:
    """Leaf that each row falls into: int64[n]."""
    leaf = np.zeros(codes.shape[1], np.int64)
    for level, (at, limit) in enumerate(zip(column.tolist(), place.tolist(), strict=True)):
        leaf += (codes[at] > limit).astype(np.int64) << level
    return leaf
