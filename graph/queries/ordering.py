"""Fewer of the tests that a change can alter: a cover of what changed, or the best that fit a budget.

Both take the safe answer and leave some of it out, so both can miss; the answer says what was left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

from graph.queries.tests import Choice, Tests

_LEAST = 0.001
"""Seconds that a test counts at least, so that one that costs nothing has no endless worth."""


def minimal(found: Tests) -> Tests:
    """A cover of the changed statements, cheapest first (greedy; V. Chvátal, "A Greedy Heuristic for the
    Set-Covering Problem", 1979): at most 1 + 1/2 + ... + 1/n times as long as the best one, n being the
    most statements that one test covers."""
    order, covering = _ordered(found.choices)
    kept, rest = order[:covering], order[covering:]
    statements = {each for choice in found.choices for each in _statements(choice)}
    most = max((len(_statements(choice)) for choice in found.choices), default=1)
    bound = sum(1 / n for n in range(1, most + 1))
    note = (
        f"A cover of {len(statements)} changed places, at most {bound:.1f} times as long as the best one. "
        f"{len(rest)} tests that the change can alter are left out."
    )
    return _with(found, "minimal", kept, rest, note)


def budget(found: Tests, seconds: float) -> Tests:
    """The tests in the order that finds faults soonest, as many as fit the seconds.

    First what is new or failed last, then a cover of the changed statements, then by fewest steps from the
    change and shortest duration.
    """
    order, _ = _ordered(found.choices)
    kept, spent = [], 0.0
    for choice in order:
        if spent + choice.seconds <= seconds:
            kept.append(choice)
            spent += choice.seconds
    chosen = {choice.node for choice in kept}
    rest = [choice for choice in order if choice.node not in chosen]
    every = {each for choice in order for each in _statements(choice)}
    seen = {each for choice in kept for each in _statements(choice)}
    unseen = len(every - seen)
    note = (
        f"{spent:.1f} of {seconds:.1f} s. {len(rest)} tests that the change can alter are left out, and "
        f"{unseen} of {len(every)} changed places are reached by no test that is kept."
    )
    return _with(found, "budget", kept, rest, note)


def _with(found: Tests, mode: str, kept: Sequence[Choice], rest: Sequence[Choice], note: str) -> Tests:
    left = tuple(choice.node for choice in rest)
    return replace(found, mode=mode, choices=tuple(kept), left=left, notes=(*found.notes, note))


def _statements(choice: Choice) -> frozenset[str]:
    return frozenset(reason.steps[0] for reason in choice.reasons)


def _pressing(choice: Choice) -> bool:
    """New, or with something to show by itself: no changed statement leads to it."""
    return choice.new or all(len(reason.steps) == 1 for reason in choice.reasons)


def _ordered(choices: Sequence[Choice]) -> tuple[list[Choice], int]:
    """All tests in order, and how many of the first ones cover every changed statement."""
    order = sorted(filter(_pressing, choices), key=lambda each: (each.seconds, each.node))
    waiting = [each for each in choices if not _pressing(each)]
    open_ = {statement for each in waiting for statement in _statements(each)}
    heap = [(_price(each, open_), each.node, place) for place, each in enumerate(waiting)]
    heapq.heapify(heap)
    taken = set()
    while open_ and heap:
        price, node, place = heapq.heappop(heap)
        now = _price(waiting[place], open_)
        if now > price:  # what it covered is covered by others meanwhile
            if now < float("inf"):
                heapq.heappush(heap, (now, node, place))
            continue
        taken.add(place)
        order.append(waiting[place])
        open_ -= _statements(waiting[place])
    covering = len(order)
    rest = [each for place, each in enumerate(waiting) if place not in taken]
    rest.sort(key=lambda each: (min(len(reason.steps) for reason in each.reasons), each.seconds, each.node))
    return order + rest, covering


def _price(choice: Choice, open_: set[str]) -> float:
    gain = len(_statements(choice) & open_)
    return max(choice.seconds, _LEAST) / gain if gain else float("inf")
