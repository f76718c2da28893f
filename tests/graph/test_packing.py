"""Facts to rows and back, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import packing
from graph.cypher import Shape
from graph.errors import InputError, StoreError
from graph.facts import Hyperedge, Member, Node, Provenance, Scope
from graph.schema import EDGES, NODES, EdgeKind, Form, NodeKind, Resolver, Tier

SCOPE = Scope("t", "small")
LIVE = [spec for spec in EDGES.values() if spec.live]

texts = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ["\ud800", "\ufdd0", "\ufdd0dead", "é\udcff"]
)
values = st.one_of(
    texts,
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.lists(texts, max_size=4).map(tuple),
    st.lists(st.integers(0, 9999), max_size=4).map(tuple),
)


@st.composite
def edges(draw) -> Hyperedge:
    spec = draw(st.sampled_from(LIVE))
    members = []
    lined = draw(st.booleans())
    for role in spec.roles:
        fewest = 1 if role.required else 0
        for _ in range(draw(st.integers(fewest, 4 if role.many else max(1, fewest)))):
            line = draw(st.integers(1, 99)) if lined else -1
            end, mark = (line + 3, line) if lined else (-1, -1)
            digest = "ab" * 16 if lined and draw(st.booleans()) else ""
            key = f"t/small:{draw(texts)}"
            members.append(Member(role.name, draw(st.sampled_from(role.kinds)), key, line, end, mark, digest))
    members = draw(st.permutations(members)) or [
        Member(spec.roles[0].name, spec.roles[0].kinds[0], "t/small:x")
    ]
    names = draw(st.lists(st.sampled_from(spec.props), unique=True)) if spec.props else []
    props = tuple(sorted((name, draw(values)) for name in names))
    said = Provenance(draw(texts), "ab" * 20, draw(st.sampled_from(list(Resolver))))
    tier, form = draw(st.sampled_from([None, *Tier])), draw(st.sampled_from(list(Form)))
    return Hyperedge(spec.kind, SCOPE, tuple(members), said, tier, form, props)


def through_the_store(edge: Hyperedge) -> Hyperedge:
    """What a server would be given, and would give back."""
    (load,) = packing.loads([edge])
    first, rest = load.rows(SCOPE, 7)
    values, exported = first.rows[0][:-1], []
    for part in (first, *rest):
        for row in part.rows:
            for index, *said in row[-1]:
                named = dict(zip(load.shape.values, said, strict=True))
                columns = ("place", "line", "end", "mark", "digest")
                key = part.keys[index].encode().decode()
                exported.append([named["role"], part.label, key, *map(named.get, columns)])
    assert sum(part.joined for part in (first, *rest)) == len(edge.members)
    exported.sort(key=repr)
    return packing.read_edge(edge.kind, SCOPE, values, exported)


@given(edges())
def test_hyperedge_comes_back_as_it_was(edge) -> None:
    packing.check_edge(edge, SCOPE)
    back = through_the_store(edge)
    if packing.shape_of(edge) is Shape.ROLE:
        assert sorted(map(repr, back.members)) == sorted(map(repr, edge.members))
    assert back == edge and back.digest() == edge.digest()


@given(texts)
def test_text_that_utf8_cannot_hold_survives(text) -> None:
    packing.plain(text).encode("utf-8")
    assert packing.original(packing.plain(text)) == text


@given(st.lists(edges(), max_size=30))
def test_loads_hold_every_hyperedge_once(found) -> None:
    taken = [edge for load in packing.loads(found) for edge in load.edges]
    assert sorted(map(repr, taken)) == sorted(map(repr, found))
    for load in packing.loads(found):
        assert {(edge.kind, packing.shape_of(edge)) for edge in load.edges} == {(load.kind, load.shape)}


def test_ids_name_repository_run_and_digest() -> None:
    inner = packing.inner_id(SCOPE, "ab12@7")
    assert inner == "t/small@7/ab12" and packing.outer_id(inner) == "ab12@7"
    assert inner.startswith(packing.one_run(SCOPE, 7)) and inner.startswith(packing.all_runs(SCOPE))
    for wrong in ("ab12", "@7", "ab@x", ""):
        with pytest.raises(InputError, match="is not the id"):
            packing.inner_id(SCOPE, wrong)


@pytest.mark.parametrize(
    "scope",
    [
        Scope("", "x"),
        Scope("t", ""),
        Scope("t", "a:b"),
        Scope("t", "a@b"),
        Scope("t", "a/b"),
        Scope("t t", "a"),
        Scope("t", "a\n"),
    ],
)
def test_names_that_run_into_other_keys_are_refused(scope) -> None:
    with pytest.raises(InputError, match="cannot name a repository"):
        packing.check_scope(scope)


CALLER, CALLEE = (
    Member("caller", NodeKind.SYMBOL, "t/small:a::f"),
    Member("callee", NodeKind.SYMBOL, "t/small:a::g"),
)
SAID = Provenance("a", "ab", Resolver.SCOPES)


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (
            Hyperedge(EdgeKind.CALLS, Scope("t", "other"), (CALLER, CALLEE), SAID),
            "of t/other was to be written",
        ),
        (Hyperedge(EdgeKind.CALLS, SCOPE, (), SAID), "cannot tie nobody together"),
        (Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER,), SAID), "lacks its callee"),
        (Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER, CALLEE._replace(role="base")), SAID), "cannot tie"),
        (
            Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER, CALLEE._replace(kind=NodeKind.FILE)), SAID),
            "callee:File",
        ),
        (
            Hyperedge(
                EdgeKind.CALLS, SCOPE, (CALLER, CALLEE), SAID, props=(("virtual", True), ("lines", (1,)))
            ),
            "not sorted",
        ),
    ],
)
def test_hyperedge_that_does_not_fit_the_schema_is_refused(edge, said) -> None:
    with pytest.raises(InputError, match=said):
        packing.check_edge(edge, SCOPE)


def test_unknown_properties_are_refused() -> None:
    odd = Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER, CALLEE), SAID, props=(("weight", 3),))
    (load,) = packing.loads([odd])
    with pytest.raises(InputError, match="has no property weight"):
        load.rows(SCOPE, 1)
    with pytest.raises(InputError, match="has no property colour"):
        packing.node_row(Node(NodeKind.FILE, "t/small:a", (("colour", "red"),)))


def test_key_that_no_index_holds_is_refused() -> None:
    with pytest.raises(InputError, match="longer than"):
        packing.node_row(Node(NodeKind.FILE, "t/small:" + "é" * 4000))


def test_members_that_no_kind_has_are_an_error_on_the_way_back() -> None:
    (load,) = packing.loads([Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER, CALLEE), SAID)])
    values = load.rows(SCOPE, 1)[0].rows[0][:-1]
    with pytest.raises(StoreError, match="members that its kind cannot have"):
        packing.read_edge(
            EdgeKind.CALLS, SCOPE, values, [["stranger", "Symbol", "k", None, None, None, None, None]]
        )


def test_no_property_of_a_kind_hides_one_that_every_hyperedge_has() -> None:
    common = {*packing.EDGE_VALUES, "scope", "from", "to"}
    for spec in LIVE:
        assert not common & set(spec.props), f"{spec.kind} hides {common & set(spec.props)}"
    for spec in NODES.values():
        assert "key" not in spec.props


def test_a_part_is_split_where_no_message_holds_it_and_nothing_is_lost(monkeypatch) -> None:
    monkeypatch.setattr(packing, "TEXT", 300)
    many = [Member("callee", NodeKind.SYMBOL, f"t/small:a.py::f{i}") for i in range(90)]
    edges = [Hyperedge(EdgeKind.CALLS, SCOPE, (CALLER, *many[i : i + 60]), SAID) for i in (0, 20, 30)]
    load = packing.Load(EdgeKind.CALLS, packing.Shape.ROLE, edges)
    first, rest = load.rows(SCOPE, 1)
    assert [row[0] for row in first.rows] == [packing.stored_id(SCOPE, e.digest(), 1) for e in edges]
    assert len(rest) > 10
    found = {row[0]: [] for row in first.rows}
    for piece in (first, *rest):
        assert sum(map(len, piece.places)) < 3 * packing.TEXT
        keys = piece.keys
        for row in piece.rows:
            found[row[0]] += [(member[1], keys[member[0]]) for member in row[-1]]
    assert list(found.values()) == [[(m.role, m.key) for m in edge.members] for edge in edges]
