"""Earlier heads: which there were, how far back they can be told, and their arrays from retired facts.

A head can be told as long as nothing that was valid at it was pruned: from the horizon on. Its arrays come
from those of the head of today, less what was created since, with what was retired since. The same
brings a file that stands at an earlier head up to date.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from graph import descriptions, packing
from graph.cypher import Filling
from graph.errors import CorruptError, InputError, NotFoundError
from graph.facts import Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.renewal import places, renew
from graph.schema import EDGES, EdgeKind, NodeKind, code_of
from graph.store import Head, Store
from graph.upkeep import chunks

_FEW = 8
"""What so many runs began is asked for run by run."""
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
    rows = await store.read("runs/flipped", prefix=packing.all_runs(scope))
    found: list[Head] = []
    latest = 0
    for row in rows:
        latest = max(latest, row["at"])
        if family in (row["family"] or "").split():
            found.append(Head(row["number"], row["commit"], row["tree"], row["resolver"], latest))
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
    await refuse_pruned(store, scope, head, await heads(store, scope, family))
    place = folder / f"run-{head.number}-{head.at}-{family}.arrays"
    if place.exists():
        try:
            kept = Incidence.open(place)
            if (kept.head, kept.commit, kept.tree) == (head.number, head.commit, head.tree):
                place.touch()
                return kept
        except (CorruptError, NotFoundError):
            place.unlink(missing_ok=True)
    found, _ = await moved_to(store, current, head, family)
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
    known = {each.number: each for each in await heads(store, scope, family)}.get(old.head)
    marks = known and (known.commit, known.tree, known.resolver)
    if known is None or marks != (old.commit, old.tree, old.resolver) or old.head > head.number:
        return None
    try:
        found, valid = await moved_to(store, old, head, family)
    except (CorruptError, InputError):
        return None
    held = np.bincount(found.edge_kind, minlength=len(EdgeKind)).tolist()
    complete = all(held[code_of(kind)] == count for kind, count in valid.items())
    return found if complete and not await pruned(store, scope, old.head, family) else None


async def moved_to(
    store: Store, arrays: Incidence, head: Head, family: str
) -> tuple[Incidence, dict[EdgeKind, int]]:
    """Arrays of one head as those of another, earlier or later; and, by kind, how many hyperedges the store
    holds that are valid at the other."""
    scope = arrays.scope
    created: list[tuple[Hyperedge, int]] = []
    ended: list[tuple[EdgeKind, str]] = []
    valid: dict[EdgeKind, int] = {}
    for kind, spec in EDGES.items():
        if not spec.live or spec.family not in families(family):
            continue
        filling = Filling(edge=kind)
        for prefix in _births(scope, arrays.head, head.number):
            come = {"prefix": prefix, "there": head.number, "here": arrays.head}
            for row in await store.read("facts/moved_edges", filling, **come):
                created.append((packing.read_edge(kind, scope, row["edge"], row["members"]), row["born"]))
        gone = {"prefix": packing.all_runs(scope), "there": arrays.head, "here": head.number}
        row = (await store.read("facts/moved_ids", filling, **gone))[0]
        ended += [(kind, packing.outer_id(stored)) for stored in row["ids"]]
        valid[kind] = row["valid"] or 0
    moved = renew(
        arrays,
        nodes=await _described(store, arrays, created, head.number),
        created=created,
        retired=places(arrays, ended),
        head=head.number,
        commit=head.commit,
        tree=head.tree,
        resolver=head.resolver,
    )
    # A node that no fact names is in the arrays of a run that described it, and of no other.
    moved.alive = moved.alive & (np.bincount(moved.member_node, minlength=moved.node_count) > 0)
    return moved, valid


def _births(scope: Scope, here: int, there: int) -> list[str]:
    """Beginnings of the ids of whatever is valid at a head and was not at an earlier one (or later).

    Ids begin with the run that a hyperedge is valid from: what a few runs began need not be sought among all.
    """
    if here < there <= here + _FEW:
        return [packing.one_run(scope, run) for run in range(here + 1, there + 1)]
    return [packing.all_runs(scope)]


async def _described(
    store: Store, arrays: Incidence, created: Iterable[tuple[Hyperedge, int]], head: int
) -> list[Node]:
    """What described, at a head, the nodes that hyperedges name, and those of the arrays that were ever
    described otherwise."""
    named: dict[NodeKind, set[str]] = {}
    for edge, _ in created:
        for member in edge.members:
            named.setdefault(member.kind, set()).add(member.key)
    found = []
    for kind in NodeKind:
        if descriptions.versioned(arrays.scope, kind):
            prefix = packing.key_prefix(arrays.scope, kind)
            for row in await store.read("facts/redescribed", Filling(kind), prefix=prefix):
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
