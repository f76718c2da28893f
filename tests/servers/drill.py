"""A process that indexes without end and says what was acknowledged; the crash drill kills it.

    python tests/servers/drill.py SEED < settings.json

It prints `run N` before a run writes anything, and `ack N` after its head was flipped.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from example_facts import retired, step

from graph.errors import MaestroError
from graph.facts import Scope
from graph.store import Store, StoreSettings


async def index_without_end(settings: StoreSettings, scope: Scope, seed: int) -> None:
    """Run after run, until somebody ends us."""
    async with Store.open(settings) as store:
        await store.migrate()
        while True:
            run = await store.begin(scope, commit="c" * 40, tree="t" * 40, families=("code",))
            print("run", run.number, flush=True)
            nodes, edges = step(scope, seed, run.number)
            for start in range(0, len(edges), 15):
                await store.write(run, nodes if not start else [], edges[start : start + 15])
            ended = [(e.kind, f"{e.digest()}@{run.number - 1}") for e in retired(scope, seed, run.number)]
            await store.retire(run, ended)
            await store.flip(run)
            print("ack", run.number, flush=True)


def main() -> int:
    """Read the order, work, and say in one word what ended it."""
    order = json.load(sys.stdin)
    settings = StoreSettings(Path(order["data_dir"]), **order["settings"])
    try:
        asyncio.run(index_without_end(settings, Scope(*order["scope"]), int(sys.argv[1])))
    except MaestroError as error:
        print("error", error.code, flush=True)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
