"""Both sides over each other: the union knows which side said what, and keeps the head's ids."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.facts import Fact, Hyperedge, Member, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.overlay import Version, unite
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("t", "r")
SAID = Provenance("a.py", "", Resolver.SCOPES)


def key(name: str, path: str = "a.py") -> str:
    return SCOPE.symbol(path, name)


def call(caller: str, *callees: str, lines: tuple[int, ...] = (1,), virtual: bool = False) -> Hyperedge:
    members = (
        Member("caller", NodeKind.SYMBOL, key(caller)),
        *(Member("callee", NodeKind.SYMBOL, key(callee)) for callee in callees),
    )
    props = (("lines", lines), ("virtual", True)) if virtual else (("lines", lines),)
    return Hyperedge(EdgeKind.CALLS, SCOPE, members, SAID, Tier.EXACT, Form.PLAIN, props)


def contains(names: dict[str, int], path: str = "a.py") -> list[Fact]:
    symbols = [
        Member("symbol", NodeKind.SYMBOL, key(name, path), line, line + 2, line, "0" * 32)
        for name, line in names.items()
    ]
    file = Member("file", NodeKind.FILE, SCOPE.file(path))
    nodes = [symbol_node(SCOPE, path, name, Sort.FUNCTION) for name in names]
    return [
        file_node(SCOPE, path, "python"),
        *nodes,
        Hyperedge(EdgeKind.CONTAINS, SCOPE, (file, *symbols), Provenance(path, "", Resolver.SYNTAX)),
    ]


def built(facts: list[Fact], previous: Incidence | None = None) -> Incidence:
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t", previous=previous)


def said(union, caller: str) -> list[tuple[set[str], Version]]:
    node = union.find(NodeKind.SYMBOL, key(caller))
    found = []
    for edge in union.edges_of(EdgeKind.CALLS).tolist():
        if union.in_role(edge, "caller") == [node]:
            callees = {union.qualname(callee) for callee in union.in_role(edge, "callee")}
            found.append((callees, union.version_of(edge)))
    return found


def test_each_hyperedge_knows_its_side():
    base = built(
        [
            *contains({"f": 1, "g": 5, "old": 9}),
            call("f", "g"),
            call("f", "old", lines=(2,)),
            call("old", "g"),
        ]
    )
    head = built([*contains({"f": 3, "g": 7, "new": 20}), call("f", "g"), call("f", "new", lines=(2,))])
    union = unite(base, head)
    assert said(union, "f") == [({"g"}, Version.BOTH), ({"new"}, Version.HEAD), ({"old"}, Version.BASE)]
    assert said(union, "old") == [({"g"}, Version.BASE)]
    nodes = {union.qualname(n): n for n in union.nodes_of(NodeKind.SYMBOL).tolist()}
    assert {name: int(union.node_version[node]) for name, node in nodes.items()} == {
        "f": 0,
        "g": 0,
        "new": 2,
        "old": 1,
    }
    assert (union.line[nodes["f"]], union.base_line[nodes["f"]]) == (3, 1)
    assert (union.line[nodes["old"]], union.base_line[nodes["old"]], union.base_line[nodes["new"]]) == (
        9,
        9,
        -1,
    )
    assert union.path(nodes["old"]) == "a.py"
    assert union.file[nodes["old"]] == union.find(NodeKind.FILE, SCOPE.file("a.py"))


def test_sites_that_moved_a_line_are_the_same_hyperedge():
    base = built([*contains({"f": 1, "g": 5}), call("f", "g", lines=(1,))])
    head = built([*contains({"f": 1, "g": 5}), call("f", "g", lines=(2, 3))])
    union = unite(base, head)
    assert said(union, "f") == [({"g"}, Version.BOTH)]
    assert union.edge_lines(union.edges_of(EdgeKind.CALLS)[0]) == [2, 3]


def test_lines_and_members_of_the_base_come_along():
    base = built(
        [*contains({"f": 1, "g": 5, "h": 9}), call("h", "f"), call("f", "g", "h", lines=(4, 6), virtual=True)]
    )
    head = built(contains({"f": 1, "g": 5}))
    union = unite(base, head)
    edges = {
        union.qualname(union.in_role(edge, "caller")[0]): edge
        for edge in union.edges_of(EdgeKind.CALLS).tolist()
    }
    assert union.edge_lines(edges["f"]) == [4, 6]
    assert union.virtual[edges["f"]] and not union.virtual[edges["h"]]
    assert union.source[edges["f"]] == union.find(NodeKind.FILE, SCOPE.file("a.py"))
    assert union.tier_of(edges["f"]) is Tier.EXACT


def test_moved_nodes_are_one():
    base = built([*contains({"f": 1}), *contains({"m": 1}, "old.py")])
    head = built([*contains({"f": 1}), *contains({"m": 1}, "new.py")])
    moved = {base.find(NodeKind.SYMBOL, key("m", "old.py")): head.find(NodeKind.SYMBOL, key("m", "new.py"))}
    union = unite(base, head, moved)
    assert union.find(NodeKind.SYMBOL, key("m", "old.py")) == -1
    assert union.node_version[union.find(NodeKind.SYMBOL, key("m", "new.py"))] == 0


def test_a_node_whose_key_alone_the_head_kept_comes_back():
    first = built([*contains({"f": 1, "gone": 5}), call("f", "gone")])
    head = built([*contains({"f": 1, "more": 8}), call("f", "more")], previous=first)
    base = built([*contains({"f": 1, "gone": 5}), call("f", "gone")])
    union = unite(base, head)
    node = union.find(NodeKind.SYMBOL, key("gone"))
    assert (union.qualname(node), union.path(node), union.line[node], union.node_version[node]) == (
        "gone",
        "a.py",
        5,
        1,
    )
    assert union.node_count == head.node_count


NAMES = ["f", "g", "h", "i"]
FACTS = st.tuples(
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 3)), max_size=6),
)


def pairs(incidence: Incidence, keep=lambda edge: True) -> set[tuple[str, str]]:
    return {
        (incidence.keys[incidence.in_role(edge, "caller")[0]], incidence.keys[callee])
        for edge in incidence.edges_of(EdgeKind.CALLS).tolist()
        if keep(edge)
        for callee in incidence.in_role(edge, "callee")
    }


@given(FACTS, FACTS)
@settings(deadline=None)
def test_the_union_says_what_either_said(one, other):
    sides = [
        built([*contains(dict.fromkeys(sorted(names), 1)), *(call(a, b, lines=(n,)) for a, b, n in calls)])
        for names, calls in (one, other)
    ]
    union = unite(*sides)
    assert pairs(union) == pairs(sides[0]) | pairs(sides[1])
    assert pairs(union, lambda e: union.edge_version[e] != 1) == pairs(sides[1])
    assert pairs(union, lambda e: union.edge_version[e] == 0) == pairs(sides[0]) & pairs(sides[1])
    for side in sides:
        for node in np.flatnonzero(side.alive).tolist():
            assert union.find(side.kind(node), side.keys[node]) >= 0
    assert union.adjacency() is not None


def test_a_hundred_thousand_nodes_are_united_quickly():
    names = [f"f{i}" for i in range(20_000)]
    facts = [*contains(dict.fromkeys(names, 1))]
    facts += [call(names[i], names[i * 7 % 20_000], lines=(j,)) for i in range(20_000) for j in range(3)]
    base, head = built(facts), built([*facts[1:-50], *contains({"x": 1})])
    begun = time.process_time()
    union = unite(base, head)
    assert time.process_time() - begun < 2
    assert union.edge_count >= head.edge_count
