"""Arrays renewed by what moved, against arrays built from all facts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph import rewiring
from graph.adjacency import Direction, adjacencies
from graph.errors import CorruptError, InputError
from graph.facts import Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.reach import cone
from graph.renewal import pays, places, renew
from graph.schema import EDGES, TIERS, EdgeKind, Form, NodeKind, Resolver, Sort
from graph.strings import Strings

SCOPE = Scope("local", "toy")
S = NodeKind.SYMBOL
WHERE = {"commit": "c" * 40, "tree": "t" * 40}
PATHS = ("a.py", "b.py", "test_a.py")
NAMES = tuple("abcdefgh")

symbols = st.builds(
    lambda path, name: SCOPE.symbol(path, name), st.sampled_from(PATHS), st.sampled_from(NAMES)
)
KEYS = {
    NodeKind.SYMBOL: symbols,
    NodeKind.FILE: st.sampled_from(PATHS).map(SCOPE.file),
    NodeKind.TEST: st.sampled_from(NAMES).map(lambda name: SCOPE.test("test_a.py", name)),
}
KINDS = [
    *[EdgeKind.CALLS] * 3, *[EdgeKind.OVERRIDES] * 2, *[EdgeKind.CONTAINS] * 2, EdgeKind.REFERENCES,
    EdgeKind.REALISES, EdgeKind.IMPORTS, EdgeKind.REGISTERS, EdgeKind.UNRESOLVED,
]  # fmt: skip


@st.composite
def hyperedges(draw: st.DrawFn) -> Hyperedge:
    kind = draw(st.sampled_from(KINDS))
    members = []
    for role in EDGES[kind].roles:
        label = draw(st.sampled_from(role.kinds))
        count = draw(st.integers(1 if role.required else 0, 3)) if role.many else 1
        for _ in range(count):
            said = draw(st.sampled_from([(-1, -1, -1, ""), (3, 5, 4, "ab" * 16), (7, 8, 7, "short")]))
            lined = said if kind is EdgeKind.CONTAINS and role.name == "symbol" else (-1, -1, -1, "")
            members.append(Member(role.name, label, draw(KEYS[label]), *lined))
    props: dict[str, object] = {}
    if kind is EdgeKind.CALLS:
        props = {
            "virtual": draw(st.booleans()),
            "lines": tuple(draw(st.lists(st.integers(0, 9), max_size=2))),
        }
    elif kind is EdgeKind.UNRESOLVED:
        props = {"count": draw(st.integers(1, 5)), "names": ("x",)}
    forms = [Form.PLAIN, Form.PLAIN, Form.WRAPPER, Form.WRAPPER, Form.DECORATING]
    origin = Provenance(draw(st.sampled_from((*PATHS, "new.py"))), "", Resolver.SCOPES)
    return Hyperedge(
        kind, SCOPE, tuple(members), origin,
        draw(st.sampled_from([None, *TIERS])), draw(st.sampled_from(forms)), tuple(sorted(props.items())),
    )  # fmt: skip


nodes = st.one_of(
    st.builds(lambda path: file_node(SCOPE, path, "python"), st.sampled_from(PATHS)),
    st.builds(
        lambda path, name, sort: symbol_node(SCOPE, path, name, sort),
        st.sampled_from(PATHS), st.sampled_from(NAMES), st.sampled_from([Sort.FUNCTION, Sort.ATTRIBUTE]),
    ),
    st.builds(
        lambda name, many: Node(
            NodeKind.TEST, SCOPE.test("test_a.py", name), (("name", name), ("parametrized", many))
        ),
        st.sampled_from(NAMES), st.booleans(),
    ),
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def some_at_once():
    """Graphs as small as these are carried over in one thread; here the larger of them in two."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rewiring, "_LARGE", 40)
        yield


def build(
    said: dict[tuple[NodeKind, str], Node], edges: dict[str, tuple[Hyperedge, int]], head: int
) -> Incidence:
    return Incidence.build([*said.values(), *edges.values()], scope=SCOPE, head=head, **WHERE)


def frozen(incidence: Incidence) -> Incidence:
    """Arrays as a mapped file has them: read-only, and with their adjacency."""
    columns = [getattr(incidence, field.name) for field in fields(incidence)]
    columns += [incidence.keys.stem, incidence.keys.stems, incidence.keys.tails, incidence.unresolved()]
    for adjacency in (incidence.adjacency(Direction.UP), incidence.adjacency(Direction.DOWN)):
        columns += [adjacency.ptr, adjacency.node, adjacency.edge, adjacency.dispatch]
    for column in columns:
        for array in (column.blob, column.offsets) if isinstance(column, Strings) else (column,):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
    return incidence


def told(incidence: Incidence) -> tuple[object, ...]:
    """All that arrays say, whatever ids they give."""
    facts = list(incidence.facts())
    births = {
        incidence.digests[edge].tobytes().hex(): int(incidence.edge_from[edge])
        for edge in range(incidence.edge_count)
    }
    described = {
        (incidence.kind(at), incidence.keys[at]): (
            incidence.name(at), incidence.path(at), incidence.qualname(at), incidence.sort_of(at),
            int(incidence.unresolved()[at]),
        )
        for at in np.flatnonzero(incidence.alive).tolist()
    }  # fmt: skip
    edges = {fact.digest() for fact in facts if isinstance(fact, Hyperedge)}
    return births, edges, described, {fact for fact in facts if isinstance(fact, Node)}


def reached(incidence: Incidence, key: str, direction: Direction) -> set[tuple[str, str, int, int]]:
    found = cone(incidence, [incidence.find(S, key)], direction=direction, tier=TIERS[-1])
    return {
        (incidence.kind(node).value, incidence.keys[node], tier, distance)
        for node, tier, distance in zip(
            found.nodes.tolist(), found.tiers.tolist(), found.distances.tolist(), strict=True
        )
    }


def assert_wired(incidence: Incidence) -> None:
    """The adjacency is what these very arrays give, entry for entry."""
    for kept, derived in zip(incidence._adjacency, adjacencies(incidence), strict=True):
        for name in ("dispatch", "ptr", "node", "edge"):
            assert np.array_equal(getattr(kept, name), getattr(derived, name)), name
            assert getattr(kept, name).dtype == getattr(derived, name).dtype


def assert_same(renewed: Incidence, fresh: Incidence) -> None:
    assert told(renewed) == told(fresh)
    assert_wired(renewed)
    for name in NAMES:
        for path in PATHS:
            key = SCOPE.symbol(path, name)
            assert (renewed.find(S, key) < 0) == (fresh.find(S, key) < 0)
            if fresh.find(S, key) >= 0:
                for direction in Direction:
                    assert reached(renewed, key, direction) == reached(fresh, key, direction)


steps = st.lists(
    st.tuples(st.lists(nodes, max_size=4), st.lists(hyperedges(), max_size=5), st.randoms()),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(nodes, max_size=8), st.lists(hyperedges(), max_size=14), steps)
def test_a_chain_of_renewals_equals_a_fresh_build(first, edges, moves) -> None:
    said = {(node.kind, node.key): node for node in first}
    valid = {edge.digest(): (edge, 1) for edge in edges}
    incidence = frozen(build(said, valid, 1))
    for head, (more, created, chance) in enumerate(moves, 2):
        retired = [digest for digest in sorted(valid) if chance.random() < 0.3]
        gone = [key for key in sorted(said) if chance.random() < 0.2]
        ended = places(
            incidence, [(valid[digest][0].kind, f"{digest}@{valid[digest][1]}") for digest in retired]
        )
        for digest in retired:
            del valid[digest]
        new = {edge.digest(): edge for edge in created if edge.digest() not in valid}
        for key in gone:
            del said[key]
        said |= {(node.kind, node.key): node for node in more}
        alive = [(incidence.kind(at), incidence.keys[at]) for at in np.flatnonzero(incidence.alive).tolist()]
        undescribed = [incidence.find(*key) for key in alive if key not in said]
        before = told(incidence)
        renewed = renew(
            incidence, nodes=more, created=new.values(), retired=ended, gone=undescribed, head=head, **WHERE
        )
        assert told(incidence) == before, "the old arrays were changed"
        valid |= {digest: (edge, head) for digest, edge in new.items()}
        assert (renewed.head, renewed.scope) == (head, SCOPE)
        renewed.adjacency()
        assert_same(renewed, build(said, valid, head))
        for at in range(incidence.node_count):
            if renewed.node_count >= incidence.node_count:
                assert renewed.keys[at] == incidence.keys[at], "a node lost its id"
        incidence = frozen(renewed)


def test_what_is_not_there_cannot_be_retired_and_what_is_not_created_twice() -> None:
    edge = Hyperedge(
        EdgeKind.CALLS, SCOPE, (Member("caller", S, SCOPE.symbol("a.py", "a")),),
        Provenance("a.py", "", Resolver.SCOPES),
    )  # fmt: skip
    incidence = build({}, {edge.digest(): (edge, 1)}, 1)
    with pytest.raises(InputError, match="beyond"):
        renew(incidence, retired=[1], head=2, **WHERE)
    with pytest.raises(InputError, match="valid already"):
        renew(incidence, created=[edge], head=2, **WHERE)
    for kind, name in ((EdgeKind.CALLS, f"{'00' * 16}@1"), (EdgeKind.IMPORTS, f"{edge.digest()}@1")):
        with pytest.raises(CorruptError, match="hold 0"):
            places(incidence, [(kind, name)])
    with pytest.raises(CorruptError):
        places(incidence, [(EdgeKind.CALLS, f"{edge.digest()}@2")])
    assert places(incidence, [(EdgeKind.CALLS, f"{edge.digest()}@1")]).tolist() == [0]


def test_nodes_that_only_a_retired_hyperedge_named_are_gone() -> None:
    calls = [
        Hyperedge(
            EdgeKind.CALLS, SCOPE,
            (Member("caller", S, SCOPE.symbol("a.py", a)), Member("callee", S, SCOPE.symbol("a.py", b))),
            Provenance("a.py", "", Resolver.SCOPES),
        )
        for a, b in ("ab", "bc")
    ]  # fmt: skip
    incidence = build({}, {edge.digest(): (edge, 1) for edge in calls}, 1)
    renewed = renew(incidence, retired=[0], head=2, **WHERE)
    assert [renewed.find(S, SCOPE.symbol("a.py", name)) for name in "abc"] == [-1, 1, 2]


def test_renewing_stops_to_pay_where_much_moved_or_much_is_gone() -> None:
    symbols = [symbol_node(SCOPE, "a.py", f"f{i}", Sort.FUNCTION) for i in range(200)]
    edges = [
        Hyperedge(
            EdgeKind.CALLS, SCOPE, (Member("caller", S, node.key),), Provenance("a.py", "", Resolver.SCOPES)
        )
        for node in symbols
    ]
    incidence = build(
        {(node.kind, node.key): node for node in symbols}, {edge.digest(): (edge, 1) for edge in edges}, 1
    )
    assert pays(incidence, 50) and not pays(incidence, 51)
    shrunk = renew(incidence, retired=range(150), head=2, **WHERE)
    assert shrunk.node_count == 200 and not pays(shrunk, 0)
