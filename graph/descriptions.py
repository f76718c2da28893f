"""What described a node before: kept with the node, so that an earlier head is told as it was.

A node's properties (what a Symbol is, what a Diagnosis says) are those of the last run that described it. The
run that changes them leaves what was there, as `[run, properties]` in JSON, in the node's list `was`: it
holds for the heads before that run. A run that broke off is undone from it. People and packages belong to no
single repository, whose runs could be counted: they are described as they are today. The last run of the
list stands in `told`, too, with the repository before it and the key behind it: so an index finds what runs
described otherwise, and no two nodes share a value.
"""

from __future__ import annotations

import json
from typing import Any

from graph import packing
from graph.facts import Scope
from graph.schema import NODES, NodeKind

WAS = "was"
TOLD = "told"
"""The properties; no kind of node has one of these names."""

Stored = dict[str, Any]
"""Properties of a node as the store has them."""


def versioned(scope: Scope, kind: NodeKind) -> bool:
    """Whether nodes of a kind are a repository's own, and what described them is kept."""
    return packing.key_prefix(scope, kind) is not None and kind is not NodeKind.RUN


def kinds() -> tuple[NodeKind, ...]:
    """The live kinds whose earlier descriptions are kept."""
    anywhere = Scope("-", "-")
    return tuple(kind for kind, spec in NODES.items() if spec.live and versioned(anywhere, kind))


def told(scope: Scope, run: int, key: str = "") -> str:
    """`told` of a node that a run described otherwise; without a key it stands before those of all nodes."""
    return f"{scope}@{run:09d}/{key}"


def noted(scope: Scope, kind: NodeKind, stored: Stored, run: int) -> Stored:
    """What to set of a node beside what a run is about to say of it otherwise."""
    was: list[str] = list(stored.get(WAS) or ())
    if not was or _run(was[-1]) < run:  # else it did so before: what counts is what stood there when it began
        said = {name: stored[name] for name in NODES[kind].props if stored.get(name) is not None}
        was.append(json.dumps([run, said], sort_keys=True))
    return keeping(scope, stored["key"], was)


def keeping(scope: Scope, key: str, was: list[str]) -> Stored:
    """What to set so that a node keeps these earlier descriptions."""
    return {WAS: was or None, TOLD: told(scope, _run(was[-1]), key) if was else None}


def at(stored: Stored, head: int) -> Stored:
    """What described a node at a head."""
    for entry in stored.get(WAS) or ():
        run, said = json.loads(entry)
        if run > head:
            return dict(said)
    return stored


def undone(scope: Scope, kind: NodeKind, stored: Stored, run: int) -> Stored | None:
    """What to set so that a run's description is taken back; None where the node has none of it."""
    was = [entry for entry in stored.get(WAS) or () if _run(entry) < run]
    if len(was) == len(stored.get(WAS) or ()):
        return None
    return dict.fromkeys(NODES[kind].props) | at(stored, run - 1) | keeping(scope, stored["key"], was)


def forgotten(scope: Scope, stored: Stored, horizon: int) -> Stored | None:
    """What to set so that only heads from the horizon on can be told; None where nothing is to go."""
    was = [entry for entry in stored.get(WAS) or () if _run(entry) > horizon]
    return None if len(was) == len(stored.get(WAS) or ()) else keeping(scope, stored["key"], was)


def _run(entry: str) -> int:
    return int(json.loads(entry)[0])
