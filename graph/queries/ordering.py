"""Fewer of the tests that a change can alter: a cover of what changed, or the best that fit a budget.

Both take the safe answer and leave some of it out, so both can miss; the answer says what was left out.
How tests are weighed, covered and cut is `maestro_selection`'s, as it is in the pytest plugin. Tests that no
changed statement leads to, being new or having failed when they were last recorded, come before all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from maestro_selection.ordering import by_expectation, cover, within

from graph.queries.tests import Tests


def minimal(found: Tests) -> Tests:
    """The cheapest tests that touch every changed statement, by a greedy cover whose bound is told.

    Parameters
    ----------
    found : Tests
        The safe answer with its candidates.
    """
    pressing = _pressing(found)
    chosen = cover(found.candidates)
    order = [*pressing, *(each.node for each in by_expectation(chosen.chosen))]
    note = (
        f"{len(order)} of {len(found.choices)} tests touch every change, in {chosen.seconds:.2f} s: at most "
        f"{chosen.bound:.2f} times what the cheapest such set takes. The others are left out, and a fault "
        "can show in one of them alone."
    )
    return _with(found, "minimal", order, note)


def budget(found: Tests, seconds: float) -> Tests:
    """The tests that are expected to find the most, soonest first, as many as fit the seconds."""
    order, spent = [], 0.0
    every = {choice.node: choice for choice in found.choices}
    for node in _pressing(found):
        if spent + every[node].seconds <= seconds:
            spent += every[node].seconds
            order.append(node)
    cut = within(found.candidates, seconds - spent)
    order += [each.node for each in cut.chosen]
    note = (
        f"{len(order)} of {len(found.choices)} tests fit into {seconds:g} s, and take "
        f"{spent + cut.seconds:.2f} s: the chance that a fault shows in none of them is estimated at "
        f"{cut.miss:.0%}."
    )
    return _with(found, "budget", order, note)


def _pressing(found: Tests) -> list[str]:
    weighed = {each.node for each in found.candidates}
    alone = [choice for choice in found.choices if choice.node not in weighed]
    return [choice.node for choice in sorted(alone, key=lambda each: (each.seconds, each.node))]


def _with(found: Tests, mode: str, order: Iterable[str], note: str) -> Tests:
    every = {choice.node: choice for choice in found.choices}
    kept = tuple(every.pop(node) for node in order)
    return replace(found, mode=mode, choices=kept, left=tuple(every), notes=(*found.notes, note))
