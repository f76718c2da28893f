"""Earlier heads: which there were, how far back they can be told, and their arrays from retired facts.

A head can be told as long as nothing that was valid at it was pruned: from the horizon on. Its arrays come
from those of the head of today, less what was created since, with what was retired since. The same
brings a file that stands at an earlier head up to date.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from graph import descriptions, packing
from graph.bolt import Row
from graph.cypher import Filling
from graph.errors import CorruptError, InputError, NotFoundError
from graph.facts import Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.renewal import places, renew
from graph.schema import EDGES, EdgeKind, NodeKind
from graph.store import Head, Store, valid_of
from graph.upkeep import chunks

_WALKED = 6_000
"""Hyperedges that a server walks in the time in which it looks up what one run moved."""
_LATEST = 999_999_999
"""No run has a number beyond this."""
_EDGES = "facts/moved_edges", "facts/ended_edges"
_IDS = "facts/moved_ids", "facts/ended_ids"
FAMILIES = {"code": ("code", "owners")}
"""Families that share an array file; any other has one of its own."""


def families(family: str) -> tuple[str, ...]:
    """The families whose facts an array file holds."""
    return FAMILIES.get(family, (family,))


async def heads(store: Store, scope: Scope, family: str = "code") -> list[Head]:
    """Every head that a family has had, in order.

    Their times never go back: where the server's clock was set back, a head counts from when the one
    before it did.
    """
    return _heads(await _flipped(store, scope), family)


async def _flipped(store: Store, scope: Scope) -> list[Row]:
    """What is noted of every run that became the repository's head, in order."""
    return await store.read("runs/flipped", prefix=packing.all_runs(scope))


def _heads(rows: list[Row], family: str) -> list[Head]:
    found: list[Head] = []
    latest = 0
    for row in rows:
        latest = max(latest, row["at"])
        if family in (row["family"] or "").split():
            said = row["number"], row["commit"], row["tree"], row["resolver"]
            found.append(Head(*said, latest, valid_of(row["valid"])))
    return found


async def horizon(store: Store, scope: Scope) -> int:
    """The run up to which retired facts were pruned; 0 where none ever were."""
    rows = await store.read("runs/horizon", key=scope.key)
    return int(rows[0]["horizon"]) if rows else 0


async def pruned(store: Store, scope: Scope, number: int, family: str = "code") -> bool:
    """Whether facts that were valid at a head may have been pruned.

    What was valid at it ended, at the earliest, with the next run of the family: that is what pruning
    goes by, and why the head of today can always be told.
    """
    limit = await horizon(store, scope)
    if number >= limit:
        return False
    later = [head.number for head in await heads(store, scope, family) if head.number > number]
    return bool(later) and later[0] <= limit


async def head_at(store: Store, scope: Scope, when: datetime) -> Head:
    """The head that stood at a time, by the server's clock.

    Raises
    ------
    NotFoundError
        It was before the first index run, or is beyond the horizon.
    """
    every = await heads(store, scope)
    moment = round(when.timestamp() * 1000)
    found = [head for head in every if head.at <= moment]
    if not found:
        first = (
            f"It was first indexed at {shown(every[0].at)}." if every else "Begin with: maestro index PATH"
        )
        raise NotFoundError(f"{scope.repository} was not indexed yet at {_local(when)}.", first)
    await refuse_pruned(store, scope, found[-1], every)
    return found[-1]


async def head_of(store: Store, scope: Scope, commit: str) -> Head:
    """The latest head that stood at a commit.

    Raises
    ------
    NotFoundError
        That commit was never indexed, or its head is beyond the horizon.
    """
    every = await heads(store, scope)
    found = [head for head in every if head.commit == commit]
    if not found:
        latest = ", ".join(head.commit[:12] for head in every[-1:-6:-1])
        raise NotFoundError(
            f"{scope.repository} was never indexed at {commit[:12]}.", f"It was, lately, at {latest}."
        )
    await refuse_pruned(store, scope, found[-1], every)
    return found[-1]


async def refuse_pruned(store: Store, scope: Scope, head: Head, every: Iterable[Head]) -> None:
    """NotFoundError where facts that were valid at a head may have been pruned."""
    limit = await horizon(store, scope)
    rows = list(every)
    ends = [each.number for each in rows[1:]] + [limit + 1]
    left = [each for each, end in zip(rows, ends, strict=True) if end > limit]
    if head in left:
        return
    hint = "Nothing earlier than today's head can be told."
    if left:
        hint = f"The earliest that can be told is {left[0].commit[:12]}, indexed at {shown(left[0].at)}."
    raise NotFoundError(
        f"What {scope.repository} was at {head.commit[:12]}, indexed at {shown(head.at)}, was pruned since.",
        hint,
    )


def shown(milliseconds: int) -> str:
    """A time of the server's clock for people, in their own zone."""
    return _local(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _local(when: datetime) -> str:
    return when.astimezone().isoformat(" ", "milliseconds")


def moment(text: str) -> datetime:
    """A date or time as ISO 8601 writes it; without a zone it is the local one, a date alone is its end.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a date or time.", "Write it like 2026-01-31 or 2026-01-31T17:30+01:00."
        ) from error
    if len(text) <= len("2026-01-31"):
        found = found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    try:
        return found.astimezone()
    except (OverflowError, ValueError, OSError) as error:  # the years 1 and 9999 have no time in every zone
        raise InputError(f"{text!r} is out of reach.", "Name a time since 1970.") from error


async def arrays_at(
    store: Store, current: Incidence, head: Head, folder: Path, family: str = "code"
) -> Incidence:
    """The arrays of an earlier head; kept in `folder` for the next who asks.

    Raises
    ------
    NotFoundError
        It is beyond the horizon, or came to be while it was read.
    """
    scope = current.scope
    if head.number == current.head:
        return current
    rows = await _flipped(store, scope)
    await refuse_pruned(store, scope, head, _heads(rows, family))
    place = folder / f"run-{head.number}-{head.at}-{family}.arrays"
    if place.exists():
        try:
            kept = Incidence.open(place)
            if (kept.head, kept.commit, kept.tree) == (head.number, head.commit, head.tree):
                place.touch()
                return kept
        except (CorruptError, NotFoundError):
            place.unlink(missing_ok=True)
    found = await _moved_to(store, current, head, family, rows)
    # Pruning says how far it will go before it deletes: what it took meanwhile is missed here.
    await refuse_pruned(store, scope, head, await heads(store, scope, family))
    found.save(place)
    return found


async def caught_up(store: Store, old: Incidence, head: Head, family: str = "code") -> Incidence | None:
    """Arrays of an earlier head brought up to one of today, by what the runs since have moved.

    None where they cannot be trusted: no run ended at their commit, facts since were pruned, or what comes
    out is not as much as the store holds.
    """
    scope = old.scope
    rows = await _flipped(store, scope)
    known = {each.number: each for each in _heads(rows, family)}.get(old.head)
    marks = known and (known.commit, known.tree, known.resolver)
    if known is None or marks != (old.commit, old.tree, old.resolver) or old.head > head.number:
        return None
    try:
        found = await _moved_to(store, old, head, family, rows)
    except (CorruptError, InputError):
        return None
    whole = await _whole(store, found, head, family) and not await pruned(store, scope, old.head, family)
    return found if whole else None


async def _whole(store: Store, found: Incidence, head: Head, family: str) -> bool:
    """Whether arrays hold as many hyperedges as the run that ended at their head says, or the store holds."""
    kinds = [kind for kind, spec in EDGES.items() if spec.live and spec.family in families(family)]
    held = found.counted()
    if head.valid:
        return all(held.get(kind, 0) == head.valid.get(kind, 0) for kind in kinds)
    given = {"prefix": packing.all_runs(found.scope), "head": head.number}
    for kind in kinds:
        row = (await store.read("status/count_edges", Filling(edge=kind), **given))[0]
        if held.get(kind, 0) != (row["valid"] or 0):
            return False
    return True


async def _moved_to(store: Store, arrays: Incidence, head: Head, family: str, rows: list[Row]) -> Incidence:
    """Arrays of one head as those of another, earlier or later; `rows`: what is `_flipped`.

    What a few runs moved is found without looking at anything else: ids begin with the run that a hyperedge
    is valid from, and the run that ended one is indexed.
    """
    scope, here, there = arrays.scope, arrays.head, head.number
    noted = _noted(rows, here, there)
    few = noted and abs(there - here) * _WALKED <= arrays.edge_count
    created: list[tuple[Hyperedge, int]] = []
    ended: list[tuple[EdgeKind, str]] = []
    for kind, spec in EDGES.items():
        if not spec.live or spec.family not in families(family):
            continue
        filling = Filling(edge=kind)
        for name, given in _sought(_EDGES, scope, there, here, few):
            for row in await store.read(name, filling, **given):
                created.append((packing.read_edge(kind, scope, row["edge"], row["members"]), row["born"]))
        for name, given in _sought(_IDS, scope, here, there, few):
            found = await store.read(name, filling, **given)
            ended += [(kind, packing.outer_id(row["id"])) for row in found]
    moved = renew(
        arrays,
        nodes=await _described(store, arrays, created, head.number, noted),
        created=created,
        retired=places(arrays, ended),
        head=head.number,
        commit=head.commit,
        tree=head.tree,
        resolver=head.resolver,
    )
    # A node that no fact names is in the arrays of a run that described it, and of no other.
    moved.alive = moved.alive & (np.bincount(moved.member_node, minlength=moved.node_count) > 0)
    return moved


def _sought(
    names: tuple[str, str], scope: Scope, there: int, here: int, found: bool
) -> list[tuple[str, dict[str, Any]]]:
    """Statements, and what they are given, for what is valid at one head and not at another.

    `found`: whether what the runs between moved is looked up; otherwise all hyperedges are walked.
    """
    moved, ended = names
    runs = range(min(here, there) + 1, max(here, there) + 1)
    if not found:
        return [(moved, {"prefix": packing.all_runs(scope), "there": there, "here": here})]
    prefixes = [packing.one_run(scope, run) for run in runs]
    if there < here:
        return [(ended, {"prefix": prefix, "there": there}) for prefix in prefixes]
    return [(moved, {"prefix": prefix, "there": there, "here": here}) for prefix in prefixes]


def _noted(rows: list[Row], here: int, there: int) -> bool:
    """Whether all runs between two heads noted what they ended, and described otherwise, for an index."""
    between = range(min(here, there) + 1, max(here, there) + 1)
    return set(between) <= {row["number"] for row in rows if row["valid"] is not None}


async def _described(
    store: Store, arrays: Incidence, created: Iterable[tuple[Hyperedge, int]], head: int, noted: bool
) -> list[Node]:
    """What described, at a head, the nodes that hyperedges name, and those of the arrays that were described
    otherwise between their head and this one."""
    scope = arrays.scope
    named: dict[NodeKind, set[str]] = {}
    for edge, _ in created:
        for member in edge.members:
            named.setdefault(member.kind, set()).add(member.key)
    found = []
    between = {
        "first": descriptions.told(scope, min(arrays.head, head) + 1),
        "last": descriptions.told(scope, _LATEST),
    }
    for kind in descriptions.kinds():
        if noted:
            rows = await store.read("facts/redescribed_since", Filling(kind), **between)
        else:
            prefix = packing.key_prefix(scope, kind)
            rows = await store.read("facts/redescribed", Filling(kind), prefix=prefix)
        for row in rows:
            node = packing.read_node(kind, row["key"], descriptions.at(row["props"], head))
            if arrays.find(kind, node.key) >= 0 and node.key not in named.get(kind, ()):
                found.append(node)
    for kind, keys in named.items():
        for batch in chunks(sorted(keys), packing.ROWS):
            asked = [packing.plain(key) for key in batch]
            for row in await store.read("facts/known_nodes", Filling(kind), keys=asked):
                stored = descriptions.at(row["props"], head)
                found.append(packing.read_node(kind, row["key"], stored))
    return found
