"""Figures of the store: writing beside bare CREATE, arrays beside a bare export, cones beside Cypher."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import neo4j
import numpy as np
from neo4j.exceptions import Neo4jError

from benchmarks import bare
from benchmarks.growth import copies_for, grow
from benchmarks.renewal import change_of
from benchmarks.scale_arrays import sampled
from graph.facts import Hyperedge, Node, Scope
from graph.incidence import Incidence
from graph.indexing import current_arrays, rebuild_arrays
from graph.reach import DEPTH, cone
from graph.schema import EDGES
from graph.store import Store
from graph.workspace import Workspace

COMMIT = TREE = "0" * 40
FAMILIES = ("code", "owners")
PART = 5
"""A bare load writes a part of the rows before ours, and another after it: one in so many each."""
ASKED = 20
"""Symbols that are asked for in Cypher too."""
PATIENCE = 30.0
"""Seconds after which a Cypher statement is given up; it counts as that long."""


@dataclass(slots=True)
class Facts:
    """The facts of a graph, under a repository's name."""

    scope: Scope
    nodes: list[Node] = field(default_factory=list)
    edges: list[Hyperedge] = field(default_factory=list)

    @property
    def incidences(self) -> int:
        """Memberships of all hyperedges."""
        return sum(len(edge.members) for edge in self.edges)


def facts_of(incidence: Incidence, scope: Scope) -> Facts:
    """The facts of arrays, moved to another repository: keys that begin with its name are said anew."""
    found = Facts(scope)
    old, new = str(incidence.scope), str(scope)

    def key(text: str) -> str:
        return new + text[len(old) :] if text.startswith((f"{old}:", f"{old}@")) else text

    for fact in incidence.facts():
        if isinstance(fact, Node):
            found.nodes.append(fact._replace(key=key(fact.key)))
        else:
            members = tuple(member._replace(key=key(member.key)) for member in fact.members)
            found.edges.append(fact._replace(scope=scope, members=members))
    return found


def bare_load(driver: neo4j.Driver, store: Store, facts: Facts) -> float:
    """Incidences a second of a bare load, one transaction after another."""
    ready = bare.node_statements(facts.nodes) + bare.edge_statements(facts.edges, facts.scope)
    return facts.incidences / bare.spent(driver, ready, store._line.address.database)


async def write_figures(
    store: Store, driver: neo4j.Driver, base: Incidence, size: int
) -> tuple[Scope, dict[str, float]]:
    """Write a grown graph, between two bare loads of parts of it; the store holds it afterwards."""
    part = copies_for(base, size // PART)
    bare_load(driver, store, facts_of(grow(base, 1), Scope("bare", f"warming{size}")))
    rates = [bare_load(driver, store, facts_of(grow(base, part), Scope("bare", f"before{size}")))]
    facts = facts_of(grow(base, copies_for(base, size)), Scope("scale", f"s{size}"))
    run = await store.begin(facts.scope, commit=COMMIT, tree=TREE, families=FAMILIES)
    begun = time.perf_counter()
    await store.write(run, facts.nodes, facts.edges)
    spent = time.perf_counter() - begun
    await store.flip(run)
    rate = facts.incidences / spent
    scope = facts.scope
    del facts
    rates.append(bare_load(driver, store, facts_of(grow(base, part, seed=2), Scope("bare", f"after{size}"))))
    print(f"written: {rate:,.0f} incidences/s; bare before and after: {rates[0]:,.0f}, {rates[1]:,.0f}")
    bare_rate = 2 / sum(1 / one for one in rates)
    return scope, {"write_s": spent, "write_per_s": rate, "write_ratio": rate / bare_rate}


async def build_figures(
    store: Store, driver: neo4j.Driver, scope: Scope, folder: Path
) -> tuple[Incidence, dict[str, float]]:
    """Arrays from the store, between two bare exports of the same rows."""
    database, workspace = store._line.address.database, Workspace(folder)
    workspace.prepare(scope)

    def export() -> float:
        return sum(bare.exported(driver, scope, family, 1, database)[0] for family in FAMILIES)

    exports = [export()]
    begun = time.perf_counter()
    built = await rebuild_arrays(store, workspace, scope, "code")
    spent = time.perf_counter() - begun
    assert built is not None
    exports.append(export())
    print(f"arrays from the store: {spent:.1f} s; bare export: {exports[0]:.1f}, then {exports[1]:.1f} s")
    return built, {"build_s": spent, "build_ratio": 2 * spent / sum(exports)}


def cone_statement(depth: int = DEPTH) -> str:
    """The question of a cone as one Cypher statement, in the kindest form that was found.

    Level by level, each node once a level: a pattern of variable length walks every path instead,
    which no server finishes. It follows all kinds of dependency, without tiers, hubs or dispatch:
    less than is asked of the arrays.
    """
    step = (
        "UNWIND level AS n MATCH (n)-[a:IN]->(h)<-[b:IN]-(m) "
        "WHERE h.to IS NULL AND (a.role + '>' + b.role) IN $pairs "
        "WITH seen, collect(DISTINCT m) AS level WITH seen + level AS seen, level "
    )
    return (
        "MATCH (s:Symbol {key: $key}) WITH [s] AS seen, [s] AS level "
        + step * depth
        + "UNWIND seen AS m RETURN count(DISTINCT m) - 1 AS reached"
    )


def role_pairs() -> list[str]:
    """Which roles of a hyperedge depend on which, written `used>user`."""
    found = {
        f"{leaves}>{enters}"
        for spec in EDGES.values()
        if spec.family == "code" and spec.live
        for leaves, enters in spec.impact
    }
    return sorted(found)


def cypher_figures(driver: neo4j.Driver, store: Store, built: Incidence, seed: int = 1) -> dict[str, float]:
    """The cones of some symbols by the arrays, and by one Cypher statement each, on the same server."""
    spans: list[tuple[float, float]] = []
    late = 0
    with driver.session(database=store._line.address.database, default_access_mode="READ") as session:
        for node in sampled(built, ASKED, seed):
            begun = time.perf_counter()
            cone(built, [node], depth=DEPTH)
            ours = time.perf_counter() - begun
            theirs, done = _asked(session, built.keys[node])
            spans.append((ours, theirs))
            late += not done
    ours, theirs = (sum(span) for span in zip(*spans, strict=True))
    middle = np.median([b / a for a, b in spans])
    print(
        f"cones of {ASKED} symbols: {ours * 1e3:.1f} ms by the arrays, {theirs:.1f} s by Cypher; "
        f"{middle:,.0f} times faster at the median"
        + (f"; {late} statements were given up after {PATIENCE:g} s and count as that" if late else "")
    )
    return {"times_faster_than_cypher": theirs / ours}


def _asked(session: neo4j.Session, key: str) -> tuple[float, bool]:
    begun = time.perf_counter()
    try:
        statement = neo4j.Query(cone_statement(), timeout=PATIENCE)
        session.run(statement, {"key": key, "pairs": role_pairs()}).consume()
    except Neo4jError as error:
        if time.perf_counter() - begun < PATIENCE / 2:
            raise SystemExit(f"The server refused the cone as a statement: {error}") from error
    spent = time.perf_counter() - begun
    return min(spent, PATIENCE), spent < PATIENCE


async def renewal_figures(
    store: Store, scope: Scope, built: Incidence, folder: Path, build_seconds: float
) -> dict[str, float]:
    """Arrays renewed from the store after a run that moved 0.1 %, beside arrays built from the store.

    What moved is read from the store too, and both sides end with the file in its place. It is done twice:
    when it is first asked so, a Neo4j thinks about each of some sixty statements.
    """
    taken = []
    for number in (1, 2):
        incidences, spent, built = await _renewed(store, scope, built, folder, str(number) * 40)
        taken.append(spent)
    print(
        f"renewed from the store after {incidences:,} incidences moved: "
        f"{taken[0]:.2f} s the first time, {taken[1]:.2f} s the next"
    )
    return {
        "delta_ratio_store": taken[1] / build_seconds,
        "delta_ratio_store_first": taken[0] / build_seconds,
    }


async def _renewed(
    store: Store, scope: Scope, built: Incidence, folder: Path, commit: str
) -> tuple[int, float, Incidence]:
    """Incidences that a run moved, seconds of renewing, and the renewed arrays."""
    change = change_of(built)
    run = await store.begin(scope, commit=commit, tree=TREE, families=FAMILIES)
    await store.write(run, [], change.created)
    ended = [
        (built.edge_kind_of(edge), f"{built.digests[edge].tobytes().hex()}@{built.edge_from[edge]}")
        for edge in change.retired.tolist()
    ]
    await store.retire(run, ended)
    await store.flip(run, built.counted())  # for each that ended, one of its kind came
    begun = time.perf_counter()
    renewed = await current_arrays(store, Workspace(folder), scope)
    spent = time.perf_counter() - begun
    assert renewed is not None and renewed.head == run.number
    return change.incidences, spent, renewed
