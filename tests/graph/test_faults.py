"""kill -9 of writer, reader and server while others read; a disk that is full; two writers.

MAESTRO_TEST_FAULTS says how many kills; MAESTRO_TEST_FAULT_SEED which.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import servers_under_test
from roles import Expected, told

from graph.errors import DiskError, NotFoundError, StoreBusyError, StoreError
from graph.facts import Hyperedge, Scope
from graph.incidence import Incidence
from graph.indexing import current_arrays
from graph.store import Store, StoreSettings
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("MAESTRO_TEST_FAULTS", "3"))
SEED = int(os.environ.get("MAESTRO_TEST_FAULT_SEED", "3"))
HERE = Path(__file__).parents[1] / "servers"
ROOT = Path(__file__).parents[2]
GONE = {"store.unavailable", "store.busy"}
"""What a role may end with when its server is killed under it; anything else is a fault of ours."""


class Role:
    """A writer or reader, and what it has said."""

    def __init__(self, name: str, settings: StoreSettings, scope: Scope) -> None:
        self.name = name
        order = asdict(settings)
        said = {"data_dir": str(order.pop("data_dir")), "scope": list(scope)}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "roles.py"), name, str(SEED)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"settings": order, **said}).encode())
        self.process.stdin.close()
        self.said: list[list[str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.decode().split())

    def end(self) -> None:
        """kill -9, where it has not ended itself; then all that it said is there."""
        self.process.kill()
        self.process.wait(60)
        self._thread.join(60)

    def last(self, word: str) -> int:
        """The last number said with a word."""
        return max((int(words[1]) for words in list(self.said) if words[0] == word), default=0)


class Drill:
    """One writer and two readers on a server of their own, killed again and again."""

    def __init__(self, server, scope: Scope) -> None:
        self.server, self.scope = server, scope
        self.workspace = Workspace(server.settings.data_dir / "workspace")
        self.expected = Expected(scope, SEED)
        self.roles: dict[str, Role] = {}
        self.acknowledged = 0
        self.counted: Counter[str] = Counter()

    def begin(self, *names: str) -> None:
        for name in names:
            self.roles[name] = Role(name.partition(" ")[0], self.server.settings, self.scope)

    def collect(self, name: str) -> None:
        """End a role and look at what it said."""
        role = self.roles.pop(name)
        role.end()
        self.acknowledged = max(self.acknowledged, role.last("ack"))
        for words in role.said:
            self.counted[words[0]] += 1
            assert words[0] != "wrong", f"{name} read something that was never so: {words}"
            assert words[0] != "error" or words[1] in GONE, f"{name} ended with {words}"

    def kill(self, victim: str, chance: random.Random) -> None:
        """Let everybody get to work, then kill one at a random moment."""
        deadline = time.monotonic() + 60
        busy = {"write": "run", "read 1": "read", "read 2": "read"}
        while any(not self.roles[name].last(word) for name, word in busy.items()):
            assert time.monotonic() < deadline, {name: role.said[-2:] for name, role in self.roles.items()}
            if any(role.process.poll() is not None for role in self.roles.values()):
                break
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 0.6))
        if victim == "server":
            self.server.kill()
            for name in list(self.roles):
                self.roles[name].process.wait(90)
                self.collect(name)
            self.server.start()
        else:
            self.collect(victim)
        self.counted[f"kill {victim.partition(' ')[0]}"] += 1

    async def examine(self) -> None:
        """Nothing acknowledged is lost, no more is seen, and no file is half of anything."""
        async with Store.open(self.server.settings) as store:
            await store.migrate()
            head = await store.head(self.scope)
            number = head.number if head else 0
            assert number >= self.acknowledged, "what was acknowledged is lost"
            stored = set()
            for family in ("code", "owners"):
                async for fact, _ in store.export(self.scope, family, number):
                    if isinstance(fact, Hyperedge):
                        stored.add(fact.digest())
            assert stored == set(self.expected.valid(number))
            try:
                arrays = Incidence.open(self.workspace.arrays(self.scope, "code"))
                assert told(arrays) == set(self.expected.valid(arrays.head)), "arrays are half-renewed"
            except NotFoundError:
                assert number <= 1
            current = await current_arrays(store, self.workspace, self.scope)
            assert number == 0 or (current is not None and told(current) == stored)
            assert await store.dangling(self.scope) == []
            self.acknowledged = number


async def test_kills_at_random_moments_while_others_read(own_server, scope) -> None:
    chance = random.Random(SEED)
    drill = Drill(own_server, scope)
    everybody = ("write", "read 1", "read 2")
    drill.begin(*everybody)
    try:
        for number in range(1, KILLS + 1):
            drill.kill(chance.choice(["write", "read 1", "server"]), chance)
            if "write" not in drill.roles or number == KILLS:
                if "write" in drill.roles:
                    drill.collect("write")
                await drill.examine()
            print(f"{number}/{KILLS} {dict(drill.counted)}", flush=True)
            drill.begin(*(name for name in everybody if name not in drill.roles))
        for name in list(drill.roles):
            drill.collect(name)
    finally:
        for role in drill.roles.values():
            role.end()
    assert drill.counted["read"] > KILLS and drill.counted["ack"] > 0


async def test_two_writers_of_one_repository(store, scope, store_settings) -> None:
    first = await store.begin(scope, commit="c" * 40, tree="t" * 40, families=("code",))
    async with Store.open(store_settings) as other:
        with pytest.raises(StoreBusyError, match=f"writing {scope}.*process {os.getpid()}"):
            await other.begin(scope, commit="d" * 40, tree="t" * 40, families=("code",))
        await store.flip(first)
        second = await other.begin(scope, commit="d" * 40, tree="t" * 40, families=("code",))
        await other.flip(second)
    assert (await store.head(scope)).number == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little room; only where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m,mode=0700", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    ) if os.name == "posix" else None  # fmt: skip
    if done is None or done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(disk: Path) -> Path:
    """Take all room of a disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    return filler


async def facts_of(store: Store, scope: Scope, head: int) -> set[str]:
    return {
        fact.digest() async for fact, _ in store.export(scope, "code", head) if isinstance(fact, Hyperedge)
    }


def written(settings: StoreSettings, scope: Scope, least: int) -> Role:
    """A writer that has had so many runs acknowledged, and goes on."""
    role = Role("write", settings, scope)
    deadline = time.monotonic() + 120
    while role.last("ack") < least and role.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert role.last("ack") >= least, role.said
    return role


@pytest.mark.apart
async def test_a_full_disk_loses_nothing_and_is_said(small_disk, scope) -> None:
    server = servers_under_test.Embedded(small_disk / "store", heap="256m")
    workspace, expected = Workspace(small_disk / "store" / "workspace"), Expected(scope, SEED)
    place = workspace.arrays(scope, "code")
    try:
        role = written(server.settings, scope, 2)
        filler = fill(small_disk)
        role.process.wait(120)
        role.end()
        assert role.said[-1][0] == "error", role.said
        assert role.said[-1][1] in {"data.disk", "store.failed", "store.unavailable"}, role.said
        arrays = Incidence.open(place)
        assert told(arrays) == set(expected.valid(arrays.head)), "arrays are half-renewed"
        with pytest.raises(DiskError):
            arrays.save(place)
        assert told(Incidence.open(place)) == set(expected.valid(arrays.head))
        assert [each.name for each in place.parent.iterdir() if each.name.startswith(".code")] == []
        filler.unlink()
        async with Store.open(server.settings) as store:
            number = (await store.head(scope)).number
            assert number >= role.last("ack"), "what was acknowledged is lost"
            assert await facts_of(store, scope, number) == set(expected.valid(number))
        role = written(server.settings, scope, number + 1)
        role.end()
        async with Store.open(server.settings) as store:
            number = (await store.head(scope)).number
            filler = fill(small_disk)
            with suppress(DiskError, StoreError):  # deleting takes room too: said, and done again later
                await store.prune(scope, keep=1)
        filler.unlink()
        async with Store.open(server.settings) as store:
            await store.prune(scope, keep=1)
            assert await facts_of(store, scope, number) == set(expected.valid(number))
            assert await store.dangling(scope) == []
    finally:
        server.stop()
