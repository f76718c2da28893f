"""The generator of large graphs: what it copies, what crosses, and that a reader gets along with 1 GiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_facts import call, contains, symbols

from benchmarks.growth import copies_for, grow
from benchmarks.scale_arrays import LIMIT
from graph.facts import Hyperedge, Member, Node, Provenance, Scope
from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind, Resolver

SCOPE = Scope("local", "toy")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def base() -> Incidence:
    """Forty functions of a file, a hub among them, and an owner who belongs to no repository."""
    nodes = symbols(SCOPE, 40)
    file, holds = contains(SCOPE, nodes)
    edges = [call(nodes[i], nodes[i // 2], nodes[0], lines=(i,)) for i in range(1, 40)]
    owner = Node(NodeKind.OWNER, "local/@team")
    said = Provenance("CODEOWNERS", "", Resolver.CODEOWNERS)
    members = (Member("owner", NodeKind.OWNER, owner.key), Member("file", NodeKind.FILE, file.key))
    owns = Hyperedge(EdgeKind.OWNS, SCOPE, members, said)
    facts = [file, owner, *nodes, holds, owns, *edges]
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t")


def degrees(incidence: Incidence) -> list[int]:
    return sorted(np.bincount(incidence.member_node, minlength=incidence.node_count).tolist())


def test_copies_without_crossing_are_the_graph_so_often(base: Incidence) -> None:
    grown = grow(base, 5, cross=0.0)
    assert grown.edge_count == 5 * base.edge_count
    assert len(grown.member_node) == 5 * len(base.member_node)
    assert grown.node_count == 5 * (base.node_count - 1) + 1, "the owner stays one"
    assert degrees(grown) == sorted([*(5 * degrees(base)[1:]), 5])
    for direction in ("up", "down"):
        assert len(grown.adjacency(direction).node) == 5 * len(base.adjacency(direction).node)


def test_every_copy_is_found_under_its_own_folder(base: Incidence) -> None:
    grown = grow(base, 3, cross=0.0)
    for copy in range(3):
        path = f"c{copy:05d}/pkg/core.py"
        node = grown.find(NodeKind.SYMBOL, SCOPE.symbol(path, "f7"))
        assert node >= 0 and grown.path(node) == path and grown.qualname(node) == "f7"
        assert grown.keys[int(grown.file[node])] == SCOPE.file(path)


def test_what_crosses_keeps_sizes_and_is_the_same_for_the_same_seed(base: Incidence) -> None:
    one, two, other = (grow(base, 8, cross=0.5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.member_node, two.member_node)
    assert not np.array_equal(one.member_node, other.member_node)
    assert np.array_equal(np.diff(one.member_ptr), np.tile(np.diff(base.member_ptr), 8))
    shares = {EdgeKind.CALLS: [], EdgeKind.CONTAINS: []}
    for edge in range(one.edge_count):
        members = [node for _, node in one.members(edge) if one.kind(node) is not NodeKind.OWNER]
        copies = {one.path(node) for node in members}
        shares.setdefault(one.edge_kind_of(edge), []).append(len(copies) > 1)
    assert 0.3 < np.mean(shares[EdgeKind.CALLS]) < 0.55
    assert not any(shares[EdgeKind.CONTAINS])


def test_grown_arrays_can_be_read_back_as_facts(base: Incidence) -> None:
    grown = grow(base, 4)
    again = Incidence.build(grown.facts(), scope=SCOPE, head=1, commit="c", tree="t")
    assert again.node_count == grown.node_count
    assert again.edge_count == grown.edge_count
    assert len(again.adjacency().node) == len(grown.adjacency().node)


def test_a_reader_of_a_million_incidences_gets_along_with_a_gibibyte(base: Incidence, tmp_path: Path) -> None:
    grown = grow(base, copies_for(base, 1_000_000))
    assert len(grown.member_node) >= 1_000_000
    path = tmp_path / "code.arrays"
    grown.save(path)
    command = [sys.executable, "-m", "benchmarks.scale_arrays", "limited", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["peak"] < LIMIT
