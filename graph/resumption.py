"""Going on with a run that broke off, where it is begun again with the same commit, tree and readers.

A hyperedge is created with all its members in one transaction, so what is there of a run is whole: it
need not be written again. What the run wrote and does not want this time is deleted before the head is
flipped, and what it ended and does not want ended is revived: the outcome is that of a run that never
broke off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from graph import packing, upkeep
from graph.bolt import Line, Transaction
from graph.claims import Claim
from graph.cypher import Filling
from graph.facts import Hyperedge, Scope
from graph.schema import EDGES, EdgeKind

_KINDS = tuple(spec.kind for spec in EDGES.values() if spec.live)

Ids = dict[EdgeKind, set[str]]


@dataclass(slots=True)
class Remains:
    """What is in the store of a run that broke off: ids, as the store keeps them, of what it did.

    They leave `written` and `ended` as the run that goes on says that it wants them.
    """

    written: Ids = field(default_factory=dict)
    ended: Ids = field(default_factory=dict)

    def unwritten(self, scope: Scope, run: int, edges: list[Hyperedge]) -> list[Hyperedge]:
        """Those hyperedges that are still to be created."""
        if not self.written:
            return edges
        missing = []
        for edge in edges:
            known = self.written.get(edge.kind)
            inner = packing.stored_id(scope, edge.digest(), run) if known else ""
            if known and inner in known:
                known.remove(inner)
            else:
                missing.append(edge)
        return missing

    def valid(self, kind: EdgeKind, inner: list[str]) -> list[str]:
        """Those hyperedges that are still to be ended."""
        known = self.ended.get(kind)
        if not known:
            return inner
        left = [one for one in inner if one not in known]
        known.difference_update(inner)
        return left

    async def undo(self, line: Line, claim: Claim) -> None:
        """Delete and revive what the run did before it broke off, and does not want now."""
        for name, remaining in (("facts/delete_edges", self.written), ("facts/revive", self.ended)):
            for kind, ids in remaining.items():
                for batch in upkeep.chunks(sorted(ids), upkeep.SMALL):
                    await line.write(partial(_each, claim=claim, name=name, kind=kind, batch=batch))
            remaining.clear()


async def _each(transaction: Transaction, claim: Claim, name: str, kind: EdgeKind, batch: list[str]) -> None:
    await claim.renew(transaction)
    await transaction.rows(name, Filling(edge=kind), {"ids": batch})


async def remains(line: Line, claim: Claim, scope: Scope, run: int) -> Remains:
    """What a broken run left in the store; nothing of it is written any more from now on."""
    # A batch that was broken off may still be about to commit: it renewed the claim, and so do we.
    await line.write(claim.renew)
    found = Remains()
    for kind in _KINDS:
        for ids, name, params in (
            (found.written, "facts/edges_under", {"prefix": packing.one_run(scope, run)}),
            (found.ended, "facts/retired_by", {"prefix": packing.all_runs(scope), "run": run}),
        ):
            rows = await line.read(
                lambda tx, n=name, k=kind, p=params: tx.rows(n, Filling(edge=k), p)  # type: ignore[misc]
            )
            if rows:
                ids[kind] = {row["id"] for row in rows}
    return found
