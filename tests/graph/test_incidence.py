"""Building arrays from facts, ids that stay, and facts read back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.errors import InputError
from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope, Value, file_node, symbol_node
from graph.incidence import Incidence
from graph.schema import EDGES, TIERS, EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("local", "toy")
S, F = NodeKind.SYMBOL, NodeKind.FILE


def build(facts: list[Fact] | Batch, **given: object) -> Incidence:
    asked = {"scope": SCOPE, "head": 3, "commit": "c" * 40, "tree": "t" * 40} | given
    return Incidence.build(facts, **asked)


def contains(path: str, *symbols: tuple[str, int, int, str]) -> list[Fact]:
    members = [Member("file", F, SCOPE.file(path))]
    nodes: list[Fact] = [file_node(SCOPE, path, "python")]
    for name, line, end, digest in symbols:
        nodes.append(symbol_node(SCOPE, path, name, Sort.FUNCTION))
        members.append(Member("symbol", S, SCOPE.symbol(path, name), line, end, line + 1, digest))
    edge = Hyperedge(EdgeKind.CONTAINS, SCOPE, tuple(members), Provenance(path, "b", Resolver.SYNTAX))
    return [*nodes, edge]


def calls(caller: str, callee: str, *lines: int) -> Hyperedge:
    members = (Member("caller", S, caller), Member("callee", S, callee))
    origin = Provenance("a.py", "b", Resolver.PYREFLY)
    return Hyperedge(EdgeKind.CALLS, SCOPE, members, origin, Tier.TYPED, Form.PLAIN, (("lines", lines),))


def test_contains_gives_symbols_their_file_lines_and_digests() -> None:
    incidence = build(contains("a.py", ("f", 3, 9, "0123456789abcdef" * 2), ("g", 11, 12, "")))
    f = incidence.find(S, SCOPE.symbol("a.py", "f"))
    assert incidence.file[f] == incidence.find(F, SCOPE.file("a.py"))
    assert (incidence.line[f], incidence.mark[f], incidence.end[f]) == (3, 4, 9)
    assert incidence.digest[f].tobytes().hex() == "0123456789abcdef" * 2
    assert not incidence.digest[incidence.find(S, SCOPE.symbol("a.py", "g"))].any()
    assert (incidence.name(f), incidence.qualname(f), incidence.path(f)) == ("f", "f", "a.py")
    assert incidence.sort_of(f) is Sort.FUNCTION
    assert incidence.kind(f) is S


def test_an_edge_keeps_its_columns() -> None:
    f, g = SCOPE.symbol("a.py", "f"), SCOPE.symbol("a.py", "g")
    incidence = build([*contains("a.py", ("f", 1, 2, ""), ("g", 3, 4, "")), calls(f, g, 1, 5)])
    (edge,) = incidence.edges_of(EdgeKind.CALLS).tolist()
    assert incidence.members(edge) == [("caller", incidence.find(S, f)), ("callee", incidence.find(S, g))]
    assert incidence.in_role(edge, "callee") == [incidence.find(S, g)]
    assert incidence.dependents(edge) == [incidence.find(S, f)]
    assert incidence.edge_lines(edge) == [1, 5]
    assert incidence.tier_of(edge) is Tier.TYPED
    assert incidence.source[edge] == incidence.find(F, SCOPE.file("a.py"))
    assert incidence.edge_from[edge] == 3
    assert incidence.digests[edge].tobytes().hex() == calls(f, g, 1, 5).digest()


def test_ids_of_known_keys_stay_and_the_gone_are_not_found() -> None:
    first = build(contains("a.py", ("f", 1, 2, ""), ("g", 3, 4, "")))
    second = build(contains("a.py", ("h", 1, 2, ""), ("g", 3, 4, "")), previous=first)
    for name in ("g",):
        key = SCOPE.symbol("a.py", name)
        assert first.find(S, key) == second.find(S, key) >= 0
    gone = SCOPE.symbol("a.py", "f")
    assert second.find(S, gone) == -1
    third = build(contains("a.py", ("f", 1, 2, ""), ("g", 3, 4, "")), previous=second)
    assert third.find(S, gone) == first.find(S, gone)
    assert first.match(third).tolist() == [0, 1, 2, -1]
    assert third.match(first).tolist() == [0, 1, 2]


def test_arrays_that_are_mostly_gone_begin_anew() -> None:
    first = build(contains("a.py", *((f"f{i}", 1, 2, "") for i in range(9))))
    second = build(contains("a.py", ("g", 1, 2, "")), previous=first)
    third = build(contains("a.py", ("g", 1, 2, "")), previous=second)
    assert second.node_count == 11
    assert third.node_count == 2


def test_a_fact_said_twice_is_kept_once_with_its_first_birth() -> None:
    edge = calls(SCOPE.symbol("a.py", "f"), SCOPE.symbol("a.py", "g"))
    incidence = build([(edge, 1), (edge, 2)])
    assert incidence.edge_from.tolist() == [1]
    assert build([edge, edge], births=[5, 6]).edge_from.tolist() == [5]
    with pytest.raises(InputError, match="births"):
        build([edge], births=[1, 2])


def test_a_test_and_a_symbol_may_share_a_key() -> None:
    key = SCOPE.symbol("a.py", "test_f")
    incidence = build([Node(NodeKind.TEST, key, (("name", "test_f"), ("path", "a.py"))), Node(S, key)])
    assert incidence.find(S, key) != incidence.find(NodeKind.TEST, key)
    assert incidence.find(F, key) == -1


def test_no_facts_make_empty_arrays() -> None:
    incidence = build([])
    assert (incidence.node_count, incidence.edge_count) == (0, 0)
    assert len(incidence.adjacency().node) == 0
    assert list(incidence.facts()) == []


def test_unresolved_references_are_counted_by_symbol() -> None:
    key = SCOPE.symbol("a.py", "f")
    edges = [
        Hyperedge(
            EdgeKind.UNRESOLVED, SCOPE, (Member("symbol", S, key),), Provenance("a.py", "", Resolver.SCOPES),
            props=(("count", count), ("names", names)),
        )
        for count, names in ((2, ("x", "y")), (3, ("z",)))
    ]  # fmt: skip
    assert build(edges).unresolved().tolist() == [5]


texts = st.text(st.characters(codec=None, exclude_characters="\0"), max_size=6)
numbers = st.integers(-1, 2**31 - 1)
values: st.SearchStrategy[Value] = st.one_of(
    texts, numbers, st.booleans(), st.lists(texts, max_size=3).map(tuple)
)
some_props = st.dictionaries(st.sampled_from(["a", "how", "mode", "names", "zeta"]), values, max_size=3)


@st.composite
def hyperedges(draw: st.DrawFn) -> Hyperedge:
    kind = draw(st.sampled_from(EdgeKind))
    members = tuple(
        Member(
            role.name, draw(st.sampled_from(role.kinds)), draw(texts), draw(numbers),
            *draw(st.sampled_from([(-1, -1, ""), (7, 8, "ab" * 16), (7, 8, "AB" * 16), (5, -1, "short")])),
        )
        for role in EDGES[kind].roles
        for _ in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    props: dict[str, Value] = draw(some_props)
    if draw(st.booleans()):
        props["lines"] = tuple(draw(st.lists(st.integers(0, 99), max_size=3)))
    if draw(st.booleans()):
        props["virtual"] = draw(st.booleans())
    if draw(st.booleans()):
        props["count"] = draw(st.integers(0, 99))
    origin = Provenance(draw(texts), "digest", draw(st.sampled_from(Resolver)))
    tier = draw(st.sampled_from([None, *TIERS]))
    form = draw(st.sampled_from(Form))
    return Hyperedge(kind, SCOPE, members, origin, tier, form, tuple(sorted(props.items())))


nodes = st.builds(
    lambda kind, key, props: Node(kind, key, tuple(sorted(props.items()))),
    st.sampled_from(NodeKind), texts, some_props,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(nodes, max_size=5), st.lists(hyperedges(), max_size=6))
def test_facts_are_read_back_as_they_were(given: list[Node], edges: list[Hyperedge]) -> None:
    batch = Batch()
    batch.add([*given, *edges])
    incidence = build(batch)
    again = list(incidence.facts())
    assert {edge.digest() for edge in again if isinstance(edge, Hyperedge)} == {e.digest() for e in edges}
    told = {f"{n.kind} {n.key}": n for n in again if isinstance(n, Node)}
    assert {key: told[key] for key in batch.nodes} == batch.nodes
    for fact in batch.nodes.values():
        assert incidence.keys[incidence.find(fact.kind, fact.key)] == fact.key
    rebuilt = build(list(again), previous=incidence)
    assert np.array_equal(rebuilt.node_kind, incidence.node_kind)
    assert rebuilt.keys == incidence.keys
