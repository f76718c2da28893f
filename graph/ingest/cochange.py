"""Files that change together more often than chance explains.

A commit is a transaction, its files are the items (Zimmermann, Weissgerber, Diehl and Zeller,
"Mining version histories to guide software changes", IEEE TSE 31(6), 2005). For a pair seen
together in `c` of `n` commits and apart in `a` and `b`:

- support is c, confidence is c / min(a, b), the surer of the two rules a -> b and b -> a
  (Agrawal and Srikant, "Fast algorithms for mining association rules", VLDB 1994);
- chance is excluded by Fisher's exact test, one-sided (Fisher, 1922): the hypergeometric
  probability of c or more common commits when a and b are drawn from n independently, held
  against ALPHA over the number of pairs tried (Bonferroni).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import exp, lgamma
from typing import NamedTuple

MAX_FILES = 30
"""A commit that touches more says little about any two of its files."""
MIN_COUNT = 3
MIN_CONFIDENCE = 0.25
ALPHA = 0.01
MAX_PARTNERS = 10
"""Strongest pairs kept of each file."""
MAX_PAIRS = 20_000


class Pair(NamedTuple):
    """Two paths (`one` < `other`), `common`: the commits they share, and the confidence, 0 to 1."""

    one: str
    other: str
    common: int
    confidence: float


def mine_pairs(transactions: Iterable[Sequence[str]]) -> list[Pair]:
    """Pairs of files that pass; each transaction is the distinct files of one commit.

    Sorted by paths. A pair stays if it is among the strongest of either of its files.
    """
    single: Counter[str] = Counter()
    common: Counter[tuple[str, str]] = Counter()
    total = 0
    for files in transactions:
        if not files or len(files) > MAX_FILES:
            continue
        total += 1
        single.update(files)
        common.update(combinations(sorted(files), 2))
    tried = {pair: count for pair, count in common.items() if count >= MIN_COUNT}
    passed = []
    for (one, other), count in tried.items():
        a, b = single[one], single[other]
        confidence = count / min(a, b)
        if confidence < MIN_CONFIDENCE or count * total <= a * b:
            continue
        if tail(count, a, b, total) <= ALPHA / len(tried):
            passed.append(Pair(one, other, count, round(confidence, 3)))
    return sorted(_strongest(passed))


def _strongest(pairs: list[Pair]) -> list[Pair]:
    pairs.sort(key=lambda pair: (-pair.confidence, -pair.common, pair))
    taken: dict[str, int] = defaultdict(int)
    kept = []
    for pair in pairs[: MAX_PAIRS * 4]:
        if min(taken[pair.one], taken[pair.other]) < MAX_PARTNERS:
            taken[pair.one] += 1
            taken[pair.other] += 1
            kept.append(pair)
    return kept[:MAX_PAIRS]


def tail(count: int, a: int, b: int, total: int) -> float:
    """P(X >= count) for X hypergeometric: b draws out of `total`, of which `a` count."""
    constant = _choose(total, b)
    sum_, term = 0.0, 0.0
    for k in range(count, min(a, b) + 1):
        if total - a < b - k:
            continue
        if term:
            # P(k) from P(k-1), which is cheaper than logarithms of factorials.
            term *= (a - k + 1) * (b - k + 1) / (k * (total - a - b + k))
        else:
            term = exp(_choose(a, k) + _choose(total - a, b - k) - constant)
        sum_ += term
        if term < sum_ * 1e-12:
            break
    return min(1.0, sum_)


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
