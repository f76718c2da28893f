"""Processes that write and read one repository without end, for the drill of faults to kill.

    python tests/servers/roles.py write|read SEED < order.json

The writer does what an index run does: it compares, writes, retires, flips the head, renews the arrays
and puts their file in its place; `ack N` says that all of this is done. The reader asks for the arrays of
the head and, at times, of an earlier one, and holds them to what was valid there: `read N`, or `wrong`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from example_facts import retired, step

from graph import past
from graph.delta import carried, difference
from graph.errors import MaestroError, NotFoundError
from graph.facts import Batch, Hyperedge, Scope
from graph.incidence import Incidence
from graph.indexing import current_arrays
from graph.store import Store, StoreSettings
from graph.workspace import Workspace

EDGES = 30


class Expected:
    """What is valid at each head: made from the seed, head after head."""

    def __init__(self, scope: Scope, seed: int) -> None:
        self.scope, self.seed = scope, seed
        self.at: list[dict[str, Hyperedge]] = [{}]

    def valid(self, head: int) -> dict[str, Hyperedge]:
        """By digest."""
        while len(self.at) <= head:
            run = len(self.at)
            found = self.at[-1] | {edge.digest(): edge for edge in step(self.scope, self.seed, run, EDGES)[1]}
            for edge in retired(self.scope, self.seed, run, EDGES):
                found.pop(edge.digest(), None)
            # What is older than that goes too, so that a long drill does not grow without end.
            for edge in step(self.scope, self.seed, run - 6, EDGES)[1] if run > 6 else ():
                found.pop(edge.digest(), None)
            self.at.append(found)
        return self.at[head]


def told(arrays: Incidence) -> set[str]:
    """Digests of the facts in arrays, each made anew from what the arrays say."""
    return {fact.digest() for fact in arrays.facts() if isinstance(fact, Hyperedge)}


async def write(store: Store, workspace: Workspace, scope: Scope, seed: int) -> None:
    """Run after run."""
    expected = Expected(scope, seed)
    workspace.prepare(scope)
    while True:
        with workspace.writing(scope, 30.0):
            arrays = await current_arrays(store, workspace, scope)
            number = (arrays.head if arrays is not None else 0) + 1
            batch = Batch()
            batch.add([*step(scope, seed, number, EDGES)[0], *expected.valid(number).values()])
            run = await store.begin(
                scope, commit=f"{number:040x}", tree="t" * 40, families=("code", "owners")
            )
            assert run.number == number
            print("run", number, flush=True)
            delta, births = difference(arrays, batch, number)
            await store.write(run, delta.nodes, delta.created)
            await store.retire(run, delta.retired)
            built = carried(
                arrays, batch, delta, births, scope=scope, head=number, commit=run.commit, tree=run.tree
            )
            await store.flip(run)
            print("flip", number, flush=True)
            built.save(workspace.arrays(scope, "code"))
            print("ack", number, flush=True)


async def read(store: Store, workspace: Workspace, scope: Scope, seed: int) -> None:
    """Question after question; heads never go back."""
    expected, chance, latest = Expected(scope, seed), random.Random(seed), 0
    while True:
        arrays = await current_arrays(store, workspace, scope)
        if arrays is None:
            await asyncio.sleep(0.05)
            continue
        if told(arrays) != set(expected.valid(arrays.head)) or arrays.head < latest:
            print("wrong", arrays.head, latest, flush=True)
        latest = arrays.head
        print("read", latest, flush=True)
        if latest > 2 and chance.random() < 0.2:
            await tell(store, workspace, arrays, f"{chance.randint(1, latest):040x}", expected)


async def tell(
    store: Store, workspace: Workspace, arrays: Incidence, commit: str, expected: Expected
) -> None:
    """Ask about an earlier head."""
    try:
        head = await past.head_of(store, arrays.scope, commit)
        earlier = await past.arrays_at(store, arrays, head, workspace.sides(arrays.scope))
    except NotFoundError:  # pruned, and said so
        return
    if told(earlier) != set(expected.valid(head.number)):
        print("wrong", head.number, "as-of", flush=True)


async def play(role: str, settings: StoreSettings, scope: Scope, seed: int) -> None:
    """Be a role until somebody ends us."""
    workspace = Workspace(settings.data_dir / "workspace")
    async with Store.open(settings) as store:
        await store.migrate()
        await (write if role == "write" else read)(store, workspace, scope, seed)


def main() -> int:
    """Read the order, play, and say in one word what ended it."""
    order = json.load(sys.stdin)
    settings = StoreSettings(Path(order["data_dir"]), **order["settings"])
    try:
        asyncio.run(play(sys.argv[1], settings, Scope(*order["scope"]), int(sys.argv[2])))
    except MaestroError as error:
        print("error", error.code, error.message.replace("\n", " ")[:200], flush=True)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
