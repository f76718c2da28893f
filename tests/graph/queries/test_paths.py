"""Proof paths against every path there is, listed by brute force."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.errors import DeadlineError, InputError
from graph.facts import Hyperedge, Member, Props, Provenance, Scope, symbol_node
from graph.incidence import Incidence
from graph.queries.paths import Paths, shortest_paths
from graph.schema import TIERS, EdgeKind, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("local", "toy")
ORIGIN = Provenance("a.py", "", Resolver.SCOPES)
NAMES = "abcdefg"


def fact(kind: EdgeKind, near: str, far: str, tier: Tier | None, props: Props = ()) -> Hyperedge:
    roles = {EdgeKind.CALLS: ("caller", "callee"), EdgeKind.OVERRIDES: ("override", "base")}[kind]
    members = tuple(
        Member(role, NodeKind.SYMBOL, SCOPE.symbol("a.py", name))
        for role, name in zip(roles, (near, far), strict=True)
    )
    return Hyperedge(kind, SCOPE, members, ORIGIN, tier, props=props)


def call(caller: str, callee: str, tier: Tier = Tier.EXACT, virtual: bool = False) -> Hyperedge:
    return fact(EdgeKind.CALLS, caller, callee, tier, (("virtual", True),) if virtual else ())


def built(edges: list[Hyperedge]) -> Incidence:
    nodes = [symbol_node(SCOPE, "a.py", name, Sort.FUNCTION) for name in NAMES]
    return Incidence.build([*nodes, *edges], scope=SCOPE, head=1, commit="c", tree="t")


def ask(incidence: Incidence, start: str, end: str, **asked: object) -> Paths:
    ends = [incidence.find(NodeKind.SYMBOL, SCOPE.symbol("a.py", name)) for name in (start, end)]
    return shortest_paths(incidence, *ends, **asked)


def routes(found: Paths) -> list[str]:
    return [
        "".join([path.steps[0].dependency.name, *(step.dependent.name for step in path.steps)])
        for path in found.paths
    ]


def test_the_surest_comes_first_then_the_shortest() -> None:
    weak = [call("d", "b", Tier.TYPED), call("d", "a", Tier.TYPED)]
    incidence = built([call("b", "a"), call("c", "b"), call("d", "c"), *weak])
    found = ask(incidence, "a", "d", count=5)
    assert routes(found) == ["abcd", "ad", "abd"]
    assert [(path.tier, path.distance) for path in found.paths] == [
        (Tier.EXACT, 3),
        (Tier.TYPED, 1),
        (Tier.TYPED, 2),
    ]
    assert found.complete
    assert not ask(incidence, "a", "d", count=2).complete
    assert routes(ask(incidence, "a", "d", tier=Tier.EXACT)) == ["abcd"]
    assert routes(ask(incidence, "a", "d", depth=1)) == ["ad"]


def test_an_override_leads_through_the_call_to_its_base() -> None:
    incidence = built([fact(EdgeKind.OVERRIDES, "b", "a", None), call("c", "a", Tier.TYPED, virtual=True)])
    (path,) = ask(incidence, "b", "c").paths
    assert path.tier is Tier.HIERARCHY
    assert [(step.kind, step.dependency.name, step.dependent.name) for step in path.steps] == [
        (EdgeKind.OVERRIDES, "b", "a"),
        (EdgeKind.CALLS, "a", "c"),
    ]


def test_nothing_leads_from_a_thing_to_itself_or_against_the_dependency() -> None:
    incidence = built([call("b", "a"), call("a", "b")])
    assert ask(incidence, "a", "a").paths == ()
    assert ask(built([call("b", "a")]), "b", "a").paths == ()


@pytest.mark.parametrize("asked", [{"count": 0}, {"depth": 0}, {"depth": 255}])
def test_numbers_out_of_bounds_are_refused(asked: dict[str, int]) -> None:
    with pytest.raises(InputError):
        ask(built([call("b", "a")]), "a", "b", **asked)


def test_nodes_out_of_bounds_are_refused() -> None:
    with pytest.raises(InputError):
        shortest_paths(built([]), 0, 99)


def test_a_deadline_stops_the_search() -> None:
    with pytest.raises(DeadlineError):
        ask(built([call("b", "a")]), "a", "b", deadline=time.monotonic() - 1)


def every_path(edges: list[Hyperedge], start: str, end: str, depth: int) -> Iterator[tuple[int, int, str]]:
    """(weakest rank, length, route) of all paths without a loop, by recursion."""
    best: dict[tuple[str, str], int] = {}
    for edge in edges:
        caller, callee = (member.key[-1] for member in edge.members)
        rank = edge.tier.rank if edge.tier else 0
        if caller != callee:
            best[callee, caller] = min(rank, best.get((callee, caller), 9))

    def walk(route: str) -> Iterator[str]:
        if route[-1] == end:
            yield route
        elif len(route) <= depth:
            for name in NAMES:
                if name not in route and (route[-1], name) in best:
                    yield from walk(route + name)

    if start != end:
        for route in walk(start):
            yield max(best[pair] for pair in pairwise(route)), len(route) - 1, route


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.builds(call, *[st.sampled_from(NAMES)] * 2, st.sampled_from(TIERS)), min_size=1, max_size=24),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(TIERS),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_paths_are_the_first_of_all_paths(
    edges: list[Hyperedge], start: str, end: str, tier: Tier, depth: int, count: int
) -> None:
    every = sorted(row for row in every_path(edges, start, end, depth) if row[0] <= tier.rank)
    found = ask(built(edges), start, end, count=count, depth=depth, tier=tier)
    assert [(path.tier.rank, path.distance) for path in found.paths] == [row[:2] for row in every[:count]]
    shown = zip(found.paths, routes(found), strict=True)
    got = {(path.tier.rank, path.distance, route) for path, route in shown}
    assert len(got) == len(found.paths)
    assert got <= set(every)
    assert found.complete == (len(every) <= count)
