"""What described a node before: kept with the node, so that an earlier head is told as it was.

A node's properties (what a Symbol is, what a Diagnosis says) are those of the last run that described it. The
run that changes them leaves what was there, as `[run, properties]` in JSON, in the node's list `was`: it
holds for the heads before that run. A run that broke off is undone from it. People and packages belong to no
single repository, whose runs could be counted: they are described as they are today.
"""

from __future__ import annotations

import json
from typing import Any

from graph import packing
from graph.facts import Scope
from graph.schema import NODES, NodeKind

WAS = "was"
"""The property; no kind of node has one of that name."""

Stored = dict[str, Any]
"""Properties of a node as the store has them."""


def versioned(scope: Scope, kind: NodeKind) -> bool:
    """Whether nodes of a kind are a repository's own, and what described them is kept."""
    return packing.key_prefix(scope, kind) is not None and kind is not NodeKind.RUN


def noted(kind: NodeKind, stored: Stored, run: int) -> list[str]:
    """`was` of a node that a run is about to describe otherwise."""
    was: list[str] = list(stored.get(WAS) or ())
    if was and _run(was[-1]) >= run:  # it did so before: what counts is what stood there when it began
        return was
    said = {name: stored[name] for name in NODES[kind].props if stored.get(name) is not None}
    return [*was, json.dumps([run, said], sort_keys=True)]


def at(stored: Stored, head: int) -> Stored:
    """What described a node at a head."""
    for entry in stored.get(WAS) or ():
        run, said = json.loads(entry)
        if run > head:
            return dict(said)
    return stored


def undone(kind: NodeKind, stored: Stored, run: int) -> Stored | None:
    """What to set so that a run's description is taken back; None where the node has none of it."""
    was = [entry for entry in stored.get(WAS) or () if _run(entry) < run]
    if len(was) == len(stored.get(WAS) or ()):
        return None
    return dict.fromkeys(NODES[kind].props) | at(stored, run - 1) | {WAS: was or None}


def forgotten(stored: Stored, horizon: int) -> Stored | None:
    """What to set so that only heads from the horizon on can be told; None where nothing is to go."""
    was = [entry for entry in stored.get(WAS) or () if _run(entry) > horizon]
    return None if len(was) == len(stored.get(WAS) or ()) else {WAS: was or None}


def _run(entry: str) -> int:
    return int(json.loads(entry)[0])
