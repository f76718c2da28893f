"""A described cone: order, proofs with their places, tests, owners, and rows of dependencies."""

from __future__ import annotations

import pytest

from graph.adjacency import Direction
from graph.errors import InputError
from graph.facts import Fact, Hyperedge, Member, Node, Props, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.overlay import Version, unite
from graph.queries.edges import exported_kind, rows
from graph.queries.impact import Cone, impact
from graph.queries.nodes import find
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("local", "toy")
S = NodeKind.SYMBOL


def key(label: str) -> str:
    return f"{SCOPE}:{label}"


def origin(path: str) -> Provenance:
    return Provenance(path, "", Resolver.SCOPES)


def holds(path: str, **lines: int) -> list[Fact]:
    """A file whose symbols begin at these lines, with a decorator above each but the module."""
    names = {"<module>": 1, **{name.replace("__", "."): line for name, line in lines.items()}}
    members = [Member("file", NodeKind.FILE, SCOPE.file(path))]
    nodes: list[Fact] = [file_node(SCOPE, path, "python")]
    for name, line in names.items():
        sort = Sort.MODULE if name == "<module>" else Sort.FUNCTION
        nodes.append(symbol_node(SCOPE, path, name, sort))
        mark = line if name == "<module>" else line + 1
        members.append(Member("symbol", S, SCOPE.symbol(path, name), line, line + 5, mark, "0" * 32))
    return [*nodes, Hyperedge(EdgeKind.CONTAINS, SCOPE, tuple(members), origin(path))]


def edge(
    kind: EdgeKind,
    tier: Tier | None = Tier.EXACT,
    *,
    lines: tuple[int, ...] = (),
    virtual: bool = False,
    **roles: str,
) -> Hyperedge:
    members = tuple(
        Member(role, NodeKind.TEST if role == "test" else S, key(label))
        for role, labels in roles.items()
        for label in labels.split()
    )
    props: Props = (("lines", lines),) if lines else ()
    props += (("virtual", True),) if virtual else ()
    path = next(iter(roles.values())).partition("::")[0]
    return Hyperedge(kind, SCOPE, members, origin(path), tier, Form.PLAIN, props)


def owns(owner: str, *paths: str) -> list[Fact]:
    members = (Member("owner", NodeKind.OWNER, f"local/{owner}"),) if owner else ()
    members += tuple(Member("file", NodeKind.FILE, SCOPE.file(path)) for path in paths)
    rule = Hyperedge(EdgeKind.OWNS, SCOPE, members, origin("CODEOWNERS"))
    return [Node(NodeKind.OWNER, f"local/{owner}", (("name", owner),)), rule] if owner else [rule]


FACTS: list[Fact] = [
    *holds("a.py", f=10, A__m=20, B__m=30),
    *holds("b.py", g=10, h=40),
    *holds("t.py", test_g=5),
    *owns("@core", "a.py", "b.py"),
    *owns("@tests", "t.py"),
    Node(NodeKind.TEST, key("t.py::test_g"), (("name", "test_g"), ("path", "t.py"))),
    edge(EdgeKind.CALLS, lines=(4, 2), caller="b.py::g", callee="a.py::f"),
    edge(EdgeKind.CALLS, Tier.TYPED, lines=(1,), virtual=True, caller="b.py::h", callee="a.py::A.m"),
    edge(EdgeKind.OVERRIDES, None, override="a.py::B.m", base="a.py::A.m"),
    edge(EdgeKind.CALLS, lines=(3,), caller="t.py::test_g", callee="b.py::g"),
    edge(EdgeKind.REALISES, test="t.py::test_g", symbol="t.py::test_g", module="t.py::<module>"),
    edge(EdgeKind.CALLS, Tier.NAME, caller="b.py::h", callee="a.py::f"),
]


def build(facts: list[Fact], **given: object) -> Incidence:
    return Incidence.build(facts, scope=SCOPE, head=4, commit="c", tree="t", **given)


def ask(incidence: Incidence, *labels: str, **asked: object) -> Cone:
    return impact(incidence, [node for label in labels for node in find(incidence, label)], **asked)


def test_a_cone_says_what_it_was_asked_and_what_it_found() -> None:
    cone = ask(build(FACTS), "a.py::f")
    assert (cone.scope, cone.head, cone.commit, cone.tree) == (SCOPE, 4, "c", "t")
    assert (cone.tier, cone.depth, cone.direction) == (Tier.HIERARCHY, 10, Direction.UP)
    assert [start.label for start in cone.starts] == ["a.py::f"]
    assert [(i.node.label, i.tier, i.distance) for i in cone.items] == [
        ("b.py::g", Tier.EXACT, 1),
        ("t.py::test_g", Tier.EXACT, 2),
    ]
    assert [(i.node.kind, i.node.label, i.distance) for i in cone.tests] == [
        (NodeKind.TEST, "t.py::test_g", 3)
    ]
    assert (cone.reached, cone.tests_reached) == (2, 1)
    assert cone.distances == ((1, 1), (2, 1), (3, 1))
    assert cone.tiers == ((Tier.EXACT, 3),)
    assert dict(cone.followed)[Tier.EXACT] == 3
    assert cone.possible == ((Tier.NAME, 1), (Tier.AMBIGUOUS, 0))


def test_each_step_says_where_the_source_has_it() -> None:
    (test,) = ask(build(FACTS), "a.py::f").tests
    assert [(s.kind, s.path, s.line, s.dependency.label, s.dependent.label) for s in test.path] == [
        (EdgeKind.CALLS, "b.py", 14, "a.py::f", "b.py::g"),
        (EdgeKind.CALLS, "t.py", 8, "b.py::g", "t.py::test_g"),
        (EdgeKind.REALISES, "t.py", 6, "t.py::test_g", "t.py::test_g"),
    ]
    assert {step.side for step in test.path} == {None}


def test_an_override_shows_what_it_stands_in_for() -> None:
    (item,) = ask(build(FACTS), "a.py::B.m").items
    assert (item.node.label, item.tier, item.distance) == ("b.py::h", Tier.HIERARCHY, 2)
    assert [(s.kind, s.line, s.dependency.label, s.dependent.label) for s in item.path] == [
        (EdgeKind.OVERRIDES, 31, "a.py::B.m", "a.py::A.m"),
        (EdgeKind.CALLS, 41, "a.py::A.m", "b.py::h"),
    ]
    below = {i.node.label: i for i in ask(build(FACTS), "b.py::h", direction=Direction.DOWN).items}
    assert [(s.kind, s.dependency.label, s.dependent.label) for s in below["a.py::B.m"].path] == [
        (EdgeKind.CALLS, "a.py::A.m", "b.py::h"),
        (EdgeKind.OVERRIDES, "a.py::B.m", "a.py::A.m"),
    ]


def test_owners_of_what_is_changed_and_reached_are_named() -> None:
    cone = ask(build(FACTS), "a.py::f")
    assert [(o.owner.name, o.files, o.items) for o in cone.owners] == [
        ("@core", ("a.py", "b.py"), 2),
        ("@tests", ("t.py",), 2),
    ]
    assert cone.unowned == 0
    code = [fact for fact in FACTS if not (isinstance(fact, Hyperedge) and fact.kind is EdgeKind.OWNS)]
    bare = ask(build(code), "a.py::f")
    assert (bare.owners, bare.unowned) == ((), 3)
    assert ask(build(code), "a.py::f", owners=build(FACTS)).owners == cone.owners


def test_a_limit_keeps_the_first_and_all_are_counted() -> None:
    whole, cone = ask(build(FACTS), "a.py::f"), ask(build(FACTS), "a.py::f", limit=1)
    assert cone.items == whole.items[:1]
    assert (cone.reached, cone.tests) == (2, whole.tests)


def test_the_order_does_not_depend_on_the_order_of_facts() -> None:
    callers = ["t.py::test_g", "a.py::B.m", "b.py::h", "a.py::<module>"]
    many = [*FACTS, *(edge(EdgeKind.CALLS, caller=caller, callee="a.py::f") for caller in callers)]
    many += [edge(EdgeKind.CALLS, caller="b.py::<module>", callee=caller) for caller in callers]
    many += [edge(EdgeKind.REALISES, test=f"t.py::test_g[{i}]", symbol="t.py::test_g") for i in "cbda"]
    props = (("name", "test_g"), ("path", "t.py"))
    many += [Node(NodeKind.TEST, key(f"t.py::test_g[{i}]"), props) for i in "dacb"]
    forth, back = ask(build(many), "a.py::f"), ask(build(many[::-1]), "a.py::f")
    assert forth.items == back.items
    assert forth.tests == back.tests
    assert [t.node.label[-2] for t in forth.tests[1:]] == list("abcd")


def test_a_change_says_which_side_a_step_comes_from() -> None:
    head = build([*holds("a.py", f=10), *holds("b.py", g=110)])
    old = [*holds("a.py", f=10), *holds("b.py", g=10)]
    base = build([*old, edge(EdgeKind.CALLS, lines=(4,), caller="b.py::g", callee="a.py::f")])
    (item,) = ask(unite(base, head), "a.py::f").items
    (step,) = item.path
    assert (step.side, step.path, step.line) == (Version.BASE, "b.py", 14)


def test_rows_hold_places_and_overrides_of_virtual_calls() -> None:
    found = list(rows(build(FACTS), EdgeKind.CALLS))
    assert [row.short for row in found] == [
        ("b.py", 10, "a.py", 10, "exact"),
        ("b.py", 40, "a.py", 10, "name"),
        ("b.py", 40, "a.py", 20, "typed"),
        ("b.py", 40, "a.py", 30, "hierarchy"),
        ("t.py", 5, "b.py", 10, "exact"),
    ]
    assert [row.override for row in found] == [False, False, False, True, False]
    assert len(list(rows(build(FACTS), EdgeKind.CALLS, overrides=False))) == 4
    assert [row.short[:4] for row in rows(build(FACTS), EdgeKind.OVERRIDES)] == [("a.py", 30, "a.py", 20)]
    assert [row.short[2:4] for row in rows(build(FACTS), EdgeKind.REALISES)] == [("t.py", 1), ("t.py", 5)]
    assert list(rows(build([]), EdgeKind.CALLS)) == []


@pytest.mark.parametrize("text", ["calls", "Calls", "CALLS"])
def test_kinds_are_named_in_any_case(text: str) -> None:
    assert exported_kind(text) is EdgeKind.CALLS


@pytest.mark.parametrize("text", ["", "owns", "nonsense"])
def test_kinds_that_are_no_dependency_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="dependency"):
        exported_kind(text)
