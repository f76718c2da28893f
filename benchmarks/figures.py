"""How every benchmark prints: lines for people, and one JSON object as the last line."""

from __future__ import annotations

import json
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
