"""kill -9 of Maestro or of its server, at random moments: nothing acknowledged is lost, no more is seen."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue

import pytest
from example_facts import step, valid

from graph.facts import Hyperedge, Scope
from graph.store import Store, StoreSettings

pytestmark = pytest.mark.anyio

MOMENTS = int(os.environ.get("MAESTRO_TEST_CRASHES", "6"))
SEED = int(os.environ.get("MAESTRO_TEST_CRASH_SEED", "11"))
DRILL = Path(__file__).parents[1] / "servers" / "drill.py"
ROOT = Path(__file__).parents[2]


class Drilled:
    """The process that indexes, and what it has said so far."""

    def __init__(self, settings: StoreSettings, scope: Scope) -> None:
        order = asdict(settings)
        said = {"data_dir": str(order.pop("data_dir")), "scope": list(scope)}
        paths = os.pathsep.join([str(ROOT), str(DRILL.parent)])
        self.process = subprocess.Popen(
            [sys.executable, str(DRILL), str(SEED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
        )
        self.process.stdin.write(json.dumps({"settings": order, **said}).encode())
        self.process.stdin.close()
        self.said: Queue[list[str]] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.acknowledged = 0
        self.error = ""

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.said.put(line.decode().split())
        self.said.put([])

    def take(self, seconds: float) -> bool:
        """Take in one thing said; False where it has ended or said nothing."""
        try:
            words = self.said.get(timeout=seconds)
        except Empty:
            return False
        if words[:1] == ["ack"]:
            self.acknowledged = int(words[1])
        elif words[:1] == ["error"]:
            self.error = words[1]
        return bool(words)

    def work_for(self, seconds: float) -> None:
        """Let it get to work, then let so many seconds pass."""
        assert self.take(60), "the drilled process said nothing"
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.take(left)

    def finish(self) -> None:
        """Take in all that it said before it ended."""
        self.process.wait(60)
        while self.take(5):
            pass


async def facts_at(store: Store, scope: Scope, head: int) -> set[str]:
    return {
        fact.digest() async for fact, _ in store.export(scope, "code", head) if isinstance(fact, Hyperedge)
    }


@pytest.mark.parametrize("victim", ["maestro", "server"])
async def test_kill_at_random_moments(own_server, scope, victim) -> None:
    chance = random.Random(f"{SEED} {victim}")
    before = 0
    for _ in range(max(1, MOMENTS // 2)):
        drilled = Drilled(own_server.settings, scope)
        drilled.work_for(chance.uniform(0.0, 1.5))
        if victim == "server":
            own_server.kill()
            drilled.finish()
            assert drilled.error == "store.unavailable" and drilled.process.returncode == 3
            own_server.start()
        else:
            drilled.process.kill()
            drilled.finish()
        before = await examine(own_server.settings, scope, max(before, drilled.acknowledged))


async def examine(settings: StoreSettings, scope: Scope, acknowledged: int) -> int:
    """The store after a crash; the head that it stands at."""
    async with Store.open(settings) as store:
        await store.migrate()
        head = await store.head(scope)
        number = head.number if head else 0
        # A head may have been flipped just before the word of it could be given.
        assert number in (acknowledged, acknowledged + 1)
        assert await facts_at(store, scope, number) == valid(scope, SEED, number)
        await store.sweep(scope)
        assert await facts_at(store, scope, number) == valid(scope, SEED, number)
        assert await facts_at(store, scope, number + 1) == valid(scope, SEED, number)
        counted = await store.counts(scope)
        assert sum(counted.edges.values()) == sum(
            len(step(scope, SEED, run)[1]) for run in range(1, number + 1)
        )
        assert await store.dangling(scope) == []
        return number
