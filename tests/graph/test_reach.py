"""The kernels against slow references written from the definitions."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import pairwise, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.adjacency import Direction
from graph.errors import DeadlineError, InputError
from graph.facts import Hyperedge, Member, Props, Provenance, Scope, symbol_node
from graph.incidence import Incidence
from graph.reach import cone
from graph.schema import TIERS, EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("local", "toy")
ORIGIN = Provenance("a.py", "", Resolver.SCOPES)


def key(name: str) -> str:
    return SCOPE.symbol("a.py", name)


def edge(kind: EdgeKind, tier: Tier | None, props: Props = (), **roles: str) -> Hyperedge:
    members = tuple(
        Member(role, NodeKind.SYMBOL, key(name)) for role, names in roles.items() for name in names.split()
    )
    return Hyperedge(kind, SCOPE, members, ORIGIN, tier, Form.NONE, props)


def call(caller: str, callees: str, tier: Tier = Tier.EXACT, virtual: bool = False) -> Hyperedge:
    props: Props = (("virtual", True),) if virtual else ()
    return edge(EdgeKind.CALLS, tier, props, caller=caller, callee=callees)


def override(lower: str, upper: str, tier: Tier | None = None) -> Hyperedge:
    return edge(EdgeKind.OVERRIDES, tier, override=lower, base=upper)


def built(edges: list[Hyperedge], names: str = "") -> Incidence:
    said = [member.key.rpartition("::")[2] for fact in edges for member in fact.members]
    nodes = [symbol_node(SCOPE, "a.py", name, Sort.FUNCTION) for name in [*names.split(), *said]]
    return Incidence.build([*nodes, *edges], scope=SCOPE, head=1, commit="c", tree="t")


def reached(incidence: Incidence, *names: str, **asked: object) -> dict[str, tuple[str, int]]:
    found = cone(incidence, [incidence.find(NodeKind.SYMBOL, key(name)) for name in names], **asked)
    return {
        incidence.qualname(node): (TIERS[tier].value, distance)
        for node, tier, distance in zip(
            found.nodes.tolist(), found.tiers.tolist(), found.distances.tolist(), strict=True
        )
    }


def proof(incidence: Incidence, start: str, end: str, **asked: object) -> list[str]:
    begun = incidence.find(NodeKind.SYMBOL, key(start))
    found = cone(incidence, [begun], **asked)
    steps = found.proof(incidence.find(NodeKind.SYMBOL, key(end)))
    kinds = [incidence.edge_kind_of(step.edge) for step in steps]
    return [
        f"{incidence.qualname(s.source)} {kind} {incidence.qualname(s.target)} {s.tier}"
        for s, kind in zip(steps, kinds, strict=True)
    ]


def test_callers_are_reached_and_callees_are_not() -> None:
    incidence = built([call("b", "a"), call("c", "b", Tier.TYPED), call("a", "z")])
    assert reached(incidence, "a") == {"b": ("exact", 1), "c": ("typed", 2)}
    assert reached(incidence, "c", direction=Direction.DOWN) == {
        "b": ("typed", 1),
        "a": ("typed", 2),
        "z": ("typed", 3),
    }


def test_a_surer_path_wins_over_a_shorter_one() -> None:
    incidence = built([call("x", "a", Tier.TYPED), call("b", "a"), call("x", "b")])
    assert reached(incidence, "a") == {"b": ("exact", 1), "x": ("exact", 2)}
    assert reached(incidence, "a", depth=1) == {"b": ("exact", 1), "x": ("typed", 1)}
    assert proof(incidence, "a", "x") == ["a Calls b exact", "b Calls x exact"]


def test_a_weak_shortcut_to_a_surely_reached_node_shortens_weaker_paths() -> None:
    chain = [call("b", "a"), call("c", "b"), call("d", "c"), call("d", "a", Tier.TYPED)]
    incidence = built([*chain, call("e", "d", Tier.TYPED), call("f", "e", Tier.TYPED)])
    assert reached(incidence, "a")["d"] == ("exact", 3)
    assert reached(incidence, "a")["e"] == ("typed", 2)
    assert reached(incidence, "a", depth=3)["f"] == ("typed", 3)
    assert proof(incidence, "a", "e") == ["a Calls d typed", "d Calls e typed"]


def test_writers_reach_what_they_write_and_targets_reach_their_readers() -> None:
    incidence = built(
        [
            edge(EdgeKind.REFERENCES, Tier.EXACT, writer="w", target="x"),
            edge(EdgeKind.REFERENCES, Tier.EXACT, reader="r", target="x y"),
        ]
    )
    assert reached(incidence, "w") == {"x": ("exact", 1), "r": ("exact", 2)}
    assert reached(incidence, "r") == {}
    assert reached(incidence, "r", direction=Direction.DOWN) == {
        "x": ("exact", 1),
        "y": ("exact", 1),
        "w": ("exact", 2),
    }


def test_an_override_reaches_virtual_callers_of_its_base_only() -> None:
    incidence = built(
        [
            override("C.m", "B.m"),
            override("B.m", "A.m"),
            call("loose", "A.m", Tier.TYPED, virtual=True),
            call("strict", "A.m", Tier.EXACT),
            call("user", "loose"),
        ]
    )
    assert reached(incidence, "C.m") == {"loose": ("hierarchy", 2), "user": ("hierarchy", 3)}
    assert reached(incidence, "C.m", tier=Tier.TYPED) == {}
    assert reached(incidence, "A.m") == {
        "strict": ("exact", 1),
        "loose": ("typed", 1),
        "user": ("typed", 2),
    }
    assert proof(incidence, "C.m", "user") == [
        "C.m Overrides B.m hierarchy",
        "B.m Overrides A.m hierarchy",
        "A.m Calls loose hierarchy",
        "loose Calls user exact",
    ]
    assert reached(incidence, "loose", direction=Direction.DOWN) == {
        "A.m": ("typed", 1),
        "B.m": ("hierarchy", 2),
        "C.m": ("hierarchy", 2),
    }
    assert proof(incidence, "loose", "C.m", direction=Direction.DOWN) == [
        "loose Calls A.m hierarchy",
        "A.m Overrides B.m hierarchy",
        "B.m Overrides C.m hierarchy",
    ]


def wrap(caller: str, callee: str) -> Hyperedge:
    return call(caller, callee, Tier.TYPED)._replace(form=Form.WRAPPER)


def test_functions_that_share_a_decorator_do_not_reach_one_anothers_callers() -> None:
    shared = [call("user_f", "f"), call("user_g", "g"), wrap("user_f", "wrapper"), wrap("user_g", "wrapper")]
    incidence = built([*shared, wrap("wrapper", "f"), wrap("wrapper", "g"), call("later", "user_f")])
    assert reached(incidence, "f") == {"user_f": ("exact", 1), "later": ("exact", 2), "wrapper": ("typed", 1)}
    assert proof(incidence, "f", "wrapper") == ["f Calls wrapper typed"]
    assert set(reached(incidence, "wrapper")) == {"user_f", "user_g", "later"}
    both = built(
        [*shared, wrap("wrapper", "f"), wrap("wrapper", "g"), call("wrapper", "log"), call("log", "f")]
    )
    assert reached(both, "f")["wrapper"] == ("exact", 2), "a wrapper reached in its own right goes on"
    assert "user_g" in reached(both, "f")


def test_a_wrapped_function_that_nobody_calls_itself_is_followed_through_its_wrapper() -> None:
    incidence = built([wrap("user", "wrapper"), wrap("wrapper", "f")])
    assert reached(incidence, "f") == {"wrapper": ("typed", 1), "user": ("typed", 2)}


def test_what_only_weak_tiers_reach_is_counted_apart() -> None:
    incidence = built(
        [call("b", "a"), call("n", "b", Tier.NAME), call("n2", "n"), call("m", "a", Tier.AMBIGUOUS)]
    )
    found = cone(incidence, [incidence.find(NodeKind.SYMBOL, key("a"))])
    assert found.possible == ((Tier.NAME, 2), (Tier.AMBIGUOUS, 1))
    assert reached(incidence, "a") == {"b": ("exact", 1)}
    assert reached(incidence, "a", tier=Tier.NAME) == {
        "b": ("exact", 1),
        "n": ("name", 2),
        "n2": ("name", 3),
    }


def test_hubs_are_cut_and_said() -> None:
    many = [call(f"u{i}", "hub") for i in range(5)]
    incidence = built([*many, call("hub", "a"), call("v", "u0")])
    found = cone(incidence, [incidence.find(NodeKind.SYMBOL, key("a"))], hub_limit=4)
    hub = incidence.find(NodeKind.SYMBOL, key("hub"))
    assert found.nodes.tolist() == [hub]
    assert found.hubs == ((hub, 5),)
    assert len(reached(incidence, "a", hub_limit=5)) == 7
    assert len(reached(incidence, "a", hub_limit=0)) == 7
    assert len(reached(incidence, "hub", hub_limit=4)) == 6


def test_references_that_could_not_be_followed_are_summed_over_the_cone() -> None:
    counts = {"a": 2, "b": 3, "z": 9}
    lost = [edge(EdgeKind.UNRESOLVED, None, (("count", n),), symbol=s) for s, n in counts.items()]
    incidence = built([call("b", "a"), call("a", "z"), *lost])
    assert cone(incidence, [incidence.find(NodeKind.SYMBOL, key("a"))]).unresolved == 5


def test_a_deadline_and_a_cancellation_stop_the_search() -> None:
    incidence = built([call("b", "a")])
    with pytest.raises(DeadlineError, match="longer"):
        cone(incidence, [0, 1], deadline=time.monotonic() - 1)
    with pytest.raises(DeadlineError, match="cancelled"):
        cone(incidence, [0, 1], cancelled=lambda: True)


@pytest.mark.parametrize("asked", [{"depth": -1}, {"depth": 255}])
def test_depths_that_cannot_be_searched_are_refused(asked: dict[str, int]) -> None:
    with pytest.raises(InputError, match="depth"):
        cone(built([call("b", "a")]), [0], **asked)


def test_starts_that_are_no_nodes_are_refused() -> None:
    for start in (-1, 2):
        with pytest.raises(InputError, match="no node"):
            cone(built([call("b", "a")]), [start])


# The reference: plain dictionaries, every definition written out.

NAMES = [f"n{i}" for i in range(7)]
names = st.sampled_from(NAMES)
few = st.lists(names, min_size=1, max_size=3).map(" ".join)
tiers = st.sampled_from(TIERS)
facts = st.one_of(
    st.builds(call, names, few, tiers, st.booleans()),
    st.builds(call, names, few, tiers, st.just(True)),
    st.builds(override, names, names, st.sampled_from([None, Tier.EXACT, Tier.NAME])),
    st.builds(lambda r, t, tier: edge(EdgeKind.REFERENCES, tier, reader=r, target=t), names, few, tiers),
    st.builds(lambda w, t, tier: edge(EdgeKind.REFERENCES, tier, writer=w, target=t), names, few, tiers),
    st.builds(lambda d, b: edge(EdgeKind.INHERITS, None, derived=d, base=b), names, few),
)

Graph = dict[str, dict[str, int]]


def ancestors(edges: list[Hyperedge]) -> dict[tuple[str, str], int]:
    """(method, ancestor) -> rank of the surest chain of Overrides."""
    best: dict[tuple[str, str], int] = {}
    for fact in edges:
        if fact.kind is EdgeKind.OVERRIDES:
            lower, upper = (member.key for member in fact.members)
            rank = max(2, fact.tier.rank if fact.tier else 0)
            best[lower, upper] = min(rank, best.get((lower, upper), 9))
    for middle, first, last in product([key(n) for n in NAMES], repeat=3):
        through = max(best.get((first, middle), 9), best.get((middle, last), 9))
        if through < best.get((first, last), 9):
            best[first, last] = through
    return best


def dependents(edges: list[Hyperedge]) -> Graph:
    """What depends on what, at which rank; `D key` is the dispatch node of a method."""
    graph: Graph = defaultdict(dict)

    def add(source: str, target: str, rank: int) -> None:
        if source != target:
            graph[source][target] = min(rank, graph[source].get(target, 9))

    overridden = {upper for lower, upper in ancestors(edges) if lower != upper}
    pairs = {
        EdgeKind.CALLS: [("callee", "caller")],
        EdgeKind.REFERENCES: [("target", "reader"), ("writer", "target")],
        EdgeKind.INHERITS: [("base", "derived")],
    }
    for fact in edges:
        rank = fact.tier.rank if fact.tier else 0
        for leaves, enters in pairs.get(fact.kind, []):
            for a, b in product(fact.members, repeat=2):
                if (a.role, b.role) == (leaves, enters):
                    add(a.key, b.key, rank)
                    if ("virtual", True) in fact.props and a.key != b.key and a.key in overridden:
                        add(f"D {a.key}", b.key, max(2, rank))
    for (lower, upper), rank in ancestors(edges).items():
        if f"D {upper}" in graph and lower != upper:
            add(lower, f"D {upper}", rank)
    return graph


def turned(graph: Graph) -> Graph:
    back: Graph = defaultdict(dict)
    for source, targets in graph.items():
        for target, rank in targets.items():
            back[target][source] = rank
    return back


def slow_cone(
    graph: Graph, starts: list[str], tier: int, depth: int, limit: int
) -> dict[str, tuple[int, int]]:
    """Bottleneck, then length, by exhaustive relaxation: rounds of Bellman-Ford for each tier."""
    found: dict[str, tuple[int, int]] = {}
    for rank in range(tier + 1):
        lengths = dict.fromkeys(starts, 0)
        for length in range(depth):
            for source in [node for node, at in lengths.items() if at == length]:
                sure = [t for t, r in graph[source].items() if r <= tier] if source in graph else []
                if source not in starts and limit and len(sure) > limit:
                    continue
                for target, r in graph.get(source, {}).items():
                    if r <= rank:
                        lengths.setdefault(target, length + 1)
        for node, length in lengths.items():
            found.setdefault(node, (rank, length))
    return found


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(facts, min_size=1, max_size=18),
    st.lists(names, min_size=1, max_size=2),
    tiers,
    st.integers(0, 6),
    st.sampled_from([0, 1, 2, 3, 50]),
    st.sampled_from(Direction),
)
def test_cones_agree_with_the_definition(
    edges: list[Hyperedge], starts: list[str], tier: Tier, depth: int, limit: int, direction: Direction
) -> None:
    incidence = built(edges, " ".join(NAMES))
    graph = dependents(edges)
    if direction is Direction.DOWN:
        graph = turned(graph)
    begun = [key(name) for name in starts]
    expected = slow_cone(graph, begun, tier.rank, depth, limit)
    ids = [incidence.find(NodeKind.SYMBOL, name) for name in begun]
    found = cone(incidence, ids, tier=tier, depth=depth, direction=direction, hub_limit=limit)
    got = {
        incidence.keys[node]: (rank, distance)
        for node, rank, distance in zip(
            found.nodes.tolist(), found.tiers.tolist(), found.distances.tolist(), strict=True
        )
    }
    assert got == {k: v for k, v in expected.items() if not k.startswith("D ") and k not in begun}
    assert len(found.nodes) == len(got)
    for node, (rank, distance) in got.items():
        steps = found.proof(incidence.find(NodeKind.SYMBOL, node))
        assert incidence.keys[steps[0].source] in begun
        assert incidence.keys[steps[-1].target] == node
        assert all(a.target == b.source for a, b in pairwise(steps))
        assert max(step.tier.rank for step in steps) == rank
        chained = sum(incidence.edge_kind_of(s.edge) is EdgeKind.OVERRIDES for s in steps)
        assert len(steps) == distance if not chained else len(steps) >= distance


@settings(deadline=None, max_examples=150)
@given(st.lists(facts, min_size=1, max_size=18), names, st.integers(0, 5))
def test_possible_counts_agree_with_the_definition(edges: list[Hyperedge], start: str, depth: int) -> None:
    incidence = built(edges, " ".join(NAMES))
    everything = slow_cone(dependents(edges), [key(start)], 4, depth, 0)
    found = cone(incidence, [incidence.find(NodeKind.SYMBOL, key(start))], depth=depth, hub_limit=0)
    for tier, count in found.possible:
        assert count == sum(
            rank == tier.rank and not node.startswith("D ") for node, (rank, _) in everything.items()
        )
