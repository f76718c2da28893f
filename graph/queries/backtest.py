"""What selection would have done in a repository's own past: what it would have saved, and what missed.

Nothing is run. The outcomes are those that recordings hold: where two recorded states lie one after the
other, the older one's evidence selects for what changed between them, and every test that came out otherwise
in the newer state must have been selected. Commits without a recorded outcome only tell what would have run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

from maestro_selection.ordering import apfd, chance_apfd
from maestro_selection.recording import Recording

from graph.facts import Scope
from graph.ingest.git import Mirror
from graph.progress import Progress, silent
from graph.queries.ordering import budget, minimal
from graph.queries.tests import Evidence, Tests, select
from graph.recordings import distance

FAILING = frozenset(("failed", "error"))


@dataclass(frozen=True, slots=True)
class Orders:
    """How soon the selected tests would have shown a fault, as APFD: in the order of `budget`, the quickest
    first, and in a random order on average. `minimal` tests would have run in that mode, and it `missed` the
    fault where none of them shows it.
    """

    expected: float
    quickest: float
    chance: float
    minimal: int
    missed: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """One step of the past: from a recorded state to a later commit.

    `judged` tests have an outcome on both sides; of these `turned` came out otherwise, and `missed` are those
    that the selection left out. `orders` is None where no test came to fail.
    """

    base: str
    commit: str
    known: int
    selected: int
    seconds: float
    seconds_all: float
    judged: int
    turned: tuple[str, ...]
    missed: tuple[str, ...]
    orders: Orders | None = None


def replay(
    mirror: Mirror,
    scope: Scope,
    states: Sequence[Recording],
    head: str,
    commits: int,
    progress: Progress = silent,
) -> list[Replay]:
    """The last commits of a history's first-parent line, newest first, each by the recording before it.

    Parameters
    ----------
    states : sequence of Recording
        Recorded states whose commits the mirror has.
    """
    known = {state.commit: state for state in states if state.commit and not state.dirty}
    line: list[str] = []
    at: str | None = head
    while at is not None and len(line) < commits:
        line.append(at)
        parents = mirror.commit(at).parents
        at = parents[0] if parents else None
    ready: dict[str, Evidence] = {}
    found = []
    for number, commit in enumerate(line):
        progress("replaying commits", number, len(line))
        base = _newest_before(mirror, known, commit)
        if base is None:
            continue
        if base.commit not in ready:
            ready[base.commit] = Evidence.of(base, mirror)
        found.append(_step(ready[base.commit], base, known.get(commit), mirror, scope, commit))
    return found


def _newest_before(mirror: Mirror, known: dict[str, Recording], commit: str) -> Recording | None:
    """The recorded state nearest to a commit among its proper ancestors."""
    nearest: tuple[int, Recording] | None = None
    for state in known.values():
        if state.commit == commit:
            continue
        far = distance(state, mirror, commit)
        if far.ahead == 0 and far.behind > 0 and (nearest is None or far.behind < nearest[0]):
            nearest = (far.behind, state)
    return nearest[1] if nearest else None


def _step(
    evidence: Evidence, base: Recording, later: Recording | None, mirror: Mirror, scope: Scope, commit: str
) -> Replay:
    answer = select(evidence, mirror, scope, mirror.commit(commit).tree, head=commit, weigh=True)
    chosen = {choice.node for choice in answer.choices}
    both = base.tests.keys() & later.tests.keys() if later is not None else set()
    turned = sorted(
        node for node in both if later is not None and base.tests[node].result != later.tests[node].result
    )
    # A new test without brackets stands for all of its parameters.
    missed = tuple(node for node in turned if not chosen & {node, node.partition("[")[0]})
    return Replay(
        base=base.commit,
        commit=commit,
        known=len(base.tests),
        selected=len([node for node in base.tests if node in chosen]),
        seconds=sum(base.tests[node].seconds for node in chosen if node in base.tests),
        seconds_all=sum(test.seconds for test in base.tests.values()),
        judged=len(both),
        turned=tuple(turned),
        missed=missed,
        orders=_orders(answer, {node for node in turned if later and later.tests[node].result in FAILING}),
    )


def _orders(answer: Tests, failing: Set[str]) -> Orders | None:
    """How each order of a safe answer would have found the fault that these tests came to fail by."""
    if not failing:
        return None
    fault = {"fault": frozenset(failing)}
    shown = sum(choice.node in failing for choice in answer.choices)
    quickest = sorted(answer.choices, key=lambda choice: (choice.seconds, choice.node))
    few = minimal(answer).choices
    return Orders(
        expected=apfd([choice.node for choice in budget(answer, math.inf).choices], fault),
        quickest=apfd([choice.node for choice in quickest], fault),
        chance=chance_apfd(len(answer.choices), (shown,)),
        minimal=len(few),
        missed=not any(choice.node in failing for choice in few),
    )
