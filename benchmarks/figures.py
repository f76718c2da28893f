"""How every benchmark prints: lines for people, and one JSON object as the last line."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def print_figures(benchmark: str, on: str, figures: Mapping[str, float]) -> None:
    """The last line of a benchmark: what was run, on what, and its figures by name."""
    print(json.dumps({"benchmark": benchmark, "on": on, "figures": dict(figures)}), flush=True)


def print_table(figures: Mapping[str, float], bars: Mapping[str, tuple[float, float]]) -> None:
    """Figures for people, each beside its bar (the least that is asked) and its aim where it has them."""
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        number = f"{value:>12,.4f}" if isinstance(value, float) else f"{value:>12,}"
        verdict = ""
        if name in bars:
            bar, aim = bars[name]
            reached = "reaches the aim" if value >= aim else "above the bar"
            verdict = f"  {reached if value >= bar else 'BELOW the bar'} (bar {bar:g}, aim {aim:g})"
        print(f"{name:<{width}}{number}{verdict}")


def timed(ask: Callable[[int], object], nodes: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Milliseconds that each question takes."""
    spans = np.empty(len(nodes))
    for at, node in enumerate(nodes):
        begun = time.perf_counter()
        ask(node)
        spans[at] = (time.perf_counter() - begun) * 1e3
    return spans


def proportion_interval(hits: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper and Pearson, Biometrika 26, 1934).

    Without trials nothing is known: (0, 1). With no hits the upper end is about 3.7 / trials at 95 %.
    """
    if not 0 <= hits <= trials or not 0 < level < 1:
        raise ValueError(f"{hits} of {trials} at {level} is no proportion")
    tail = (1 - level) / 2

    def at_most(count: int, rate: float) -> float:
        return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(count + 1))

    def turning(goes_on: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if goes_on(middle) else (low, middle)
        return (low + high) / 2

    lowest = turning(lambda rate: 1 - at_most(hits - 1, rate) < tail) if hits else 0.0
    highest = turning(lambda rate: at_most(hits, rate) > tail) if hits < trials else 1.0
    return lowest, highest
