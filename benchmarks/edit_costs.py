"""What indexing costs by kind of edit, beside indexing from nothing in the same run.

    python -m benchmarks.edit_costs CLONE [--rounds 3] [--seed 1] [--resident] [--no-engine] [--server neo4j]

CLONE is copied; nothing is written to it. It is indexed from nothing, then edited and indexed again, kind
after kind, each edit on top of those before: a commit without code, one line, a function renamed wherever its
name is written, a file moved, a merge of up to 200 files, and another branch. Of each kind is told, a run:
files that git says moved, hyperedges written and retired, members written with them, and CPU seconds of
Maestro itself, of the processes that it starts (type engine, readers) and of the server. With --resident the
Maestro that indexes stays up, and its engine with it, as in a service. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from benchmarks.edits import Edit, Edited, merged, move, nothing, one_line, rename, switched
from benchmarks.figures import print_figures
from benchmarks.indexing import used_by_servers, used_here
from benchmarks.servers import SERVERS, running
from graph.facts import Scope
from graph.incidence import Incidence
from graph.indexing import index
from graph.residence import Residence
from graph.store import Store
from graph.workspace import Workspace

KINDS: dict[str, Edit] = {
    "no_code": nothing,
    "one_line": one_line,
    "renamed_function": rename,
    "moved_file": move,
    "merge": merged,
    "branch_switch": switched,
}
FULL = "full_index"
_TRIES = 50


@dataclass(slots=True)
class Cost:
    """What a run, or several, moved and took: counts, and CPU seconds."""

    files: float = 0.0
    facts: float = 0.0
    """Hyperedges written or retired."""
    members: float = 0.0
    """Members of those written: each is a relationship in the store."""
    own_s: float = 0.0
    children_s: float = 0.0
    """The type engine's, and readers' in processes of their own."""
    server_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        """All CPU seconds."""
        return self.own_s + self.children_s + self.server_s

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def a_run(self, runs: int) -> Cost:
        """The mean of several runs."""
        return Cost(*(getattr(self, each.name) / runs for each in fields(self)))


@dataclass(slots=True)
class Measuring:
    """A clone that is edited and indexed, and what that took."""

    store: Store
    workspace: Workspace
    scope: Scope
    clone: Edited
    engine: bool
    server_s: Callable[[], float]
    """CPU seconds of the server so far."""
    residence: Residence | None = None
    costs: dict[str, Cost] = field(default_factory=dict)

    async def run(self, files: int) -> Cost:
        """Index the clone as it stands."""
        own, all_here, server = _own(), used_here(), self.server_s()
        report = await index(
            self.store,
            self.workspace,
            self.scope,
            self.clone.path,
            engine=self.engine,
            with_history=False,
            residence=self.residence,
        )
        own_s = _own() - own
        arrays = Incidence.open(self.workspace.arrays(self.scope, "code"))
        written = np.diff(arrays.member_ptr)[arrays.edge_from == report.head]
        return Cost(
            files,
            report.created + report.retired,
            float(written.sum()),
            own_s,
            used_here() - all_here - own_s,
            self.server_s() - server,
        )

    async def measure(self, rounds: int, seed: int) -> None:
        """Everything: from nothing, then `rounds` edits of each kind."""
        self.costs[FULL] = await self.run(len(self.clone.files()))
        for kind, edit in KINDS.items():
            total = Cost()
            for number in range(rounds):
                total += await self.run(self._edit(edit, random.Random(f"{seed} {kind} {number}")))
            self.costs[kind] = total.a_run(rounds)

    def _edit(self, edit: Edit, chance: random.Random) -> int:
        """Edit and commit; how many files moved."""
        before = self.clone.git("rev-parse", "HEAD")
        for _ in range(_TRIES):
            what = edit(self.clone, chance)
            if what:
                after = self.clone.commit(what)
                return len(self.clone.git("diff", "--name-only", "-M", before, after).splitlines())
        raise SystemExit(f"{self.clone.path} has nothing for the edit {edit.__name__}.")


def _own() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def table(costs: dict[str, Cost]) -> str:
    """What each kind of edit moved and took, for people."""
    full = costs[FULL]
    names = "files", "facts", "members", "own s", "children s", "server s", "CPU s", "of a full index"
    rows: list[tuple[str, ...]] = [("", *names)]
    for kind, cost in costs.items():
        counts = [f"{value:,.0f}" for value in (cost.files, cost.facts, cost.members)]
        times = [f"{value:.2f}" for value in (cost.own_s, cost.children_s, cost.server_s, cost.cpu_s)]
        rows.append((kind.replace("_", " "), *counts, *times, f"{cost.cpu_s / full.cpu_s:.3f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(lines)


def figures_of(costs: dict[str, Cost]) -> dict[str, float]:
    """The same by name: `KIND_WHAT`, and `KIND_ratio` of the CPU of a full index."""
    found: dict[str, float] = {}
    for kind, cost in costs.items():
        for each in fields(cost):
            found[f"{kind}_{each.name}"] = round(getattr(cost, each.name), 3)
        found[f"{kind}_cpu_s"] = round(cost.cpu_s, 3)
        if kind != FULL:
            found[f"{kind}_ratio"] = round(cost.cpu_s / costs[FULL].cpu_s, 4)
    return found


async def run(given: argparse.Namespace) -> dict[str, Cost]:
    """Measure on a copy of the clone and a server of our own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        Edited(place).git("clone", "-q", str(given.clone.resolve()), "clone")
        (place / "server").mkdir()
        with running(given.server, place / "server") as settings, Residence() as residence:
            async with Store.open(settings) as store:
                await store.migrate()
                measuring = Measuring(
                    store,
                    Workspace(place / "data"),
                    Scope("benchmark", "edited"),
                    Edited(place / "clone"),
                    given.engine,
                    lambda: used_by_servers(place / "server"),
                    residence if given.resident else None,
                )
                await measuring.measure(given.rounds, given.seed)
        return measuring.costs


def main() -> None:
    """Read the arguments, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=SERVERS, default="embedded")
    parser.add_argument("--no-engine", dest="engine", action="store_false")
    parser.add_argument("--resident", action="store_true")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    costs = asyncio.run(run(given))
    print(table(costs))
    print_figures("edit_costs", given.clone.resolve().name, figures_of(costs))


if __name__ == "__main__":
    main()
