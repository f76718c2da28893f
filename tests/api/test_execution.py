"""Lists completed by a plan are what the executor's own way gives, errors and their places included."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from hypothesis import given, settings
from hypothesis import strategies as st

from api.graphql.execution import Execution


@strawberry.enum
class Colour(Enum):
    RED = "r"
    BLUE = "b"


@strawberry.type
class Leaf:
    word: str
    maybe: str | None
    count: int
    many: list[int]
    colour: Colour
    share: float
    sure: bool
    key: strawberry.ID


def shout(root: Any) -> str:
    return str(root.leaf.word).upper()


@strawberry.type
class Branch:
    leaf: Leaf
    perhaps: Leaf | None
    leaves: list[Leaf]
    gaps: list[Leaf | None] | None
    nested: list[list[Leaf]]
    loud: str = strawberry.field(resolver=shout)

    @strawberry.field
    def times(self, by: int = 2) -> int:
        return self.leaf.count * by


@strawberry.type
class Query:
    @strawberry.field
    def branches(self, info: strawberry.Info) -> list[Branch]:
        return info.context

    @strawberry.field
    def some(self, info: strawberry.Info) -> list[Branch | None] | None:
        return info.context


PLANNED = strawberry.Schema(query=Query, execution_context_class=Execution)
USUAL = strawberry.Schema(query=Query)

LEAF = [
    "word", "maybe", "count", "many", "colour", "share", "sure", "key", "__typename",
    "other: word", "word @skip(if: true)", "count @include(if: true)", "... on Leaf { maybe key }", "...L",
]  # fmt: skip
OWN = ["loud", "times", "times(by: 3)", "__typename"]
HOLDING = ["leaf", "perhaps", "leaves", "gaps", "nested", "again: leaves"]

leaf_selections = st.lists(st.sampled_from(LEAF), min_size=1, max_size=5).map(" ".join)
branch_selections = st.lists(
    st.sampled_from(OWN)
    | st.tuples(st.sampled_from(HOLDING), leaf_selections).map("{0[0]} {{ {0[1]} }}".format),
    min_size=1,
    max_size=5,
).map(" ".join)


def odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what the type says, and sometimes not."""
    return st.one_of(usual, usual, usual, usual, st.sampled_from([None, "x", 1, 2**40, object, float("nan")]))


leaves = st.builds(
    Leaf,
    word=odd(st.text(max_size=3)),
    maybe=st.none() | st.text(max_size=3),
    count=odd(st.integers(-5, 5) | st.booleans()),
    many=odd(st.lists(odd(st.integers(0, 3)), max_size=3)),
    colour=odd(st.sampled_from(Colour)),
    share=odd(st.floats(0, 1) | st.integers(0, 1)),
    sure=odd(st.booleans()),
    key=odd(st.text(max_size=3) | st.integers(0, 9)),
)
held = st.lists(leaves, min_size=1, max_size=4).flatmap(
    lambda pool: st.lists(
        st.builds(
            Branch,
            leaf=odd(st.sampled_from(pool)),
            perhaps=st.none() | st.sampled_from(pool),
            leaves=odd(st.lists(st.sampled_from(pool), max_size=4) | st.just(tuple(pool))),
            gaps=st.none() | st.lists(st.none() | st.sampled_from(pool), max_size=3),
            nested=st.lists(st.lists(st.sampled_from(pool), max_size=2), max_size=2),
        ),
        max_size=4,
    )
)


def told(result: Any) -> tuple[Any, list[tuple[str, Any]]]:
    return repr(result.data), [(each.message, each.path) for each in result.errors or ()]


@settings(max_examples=300, deadline=None)
@given(held, branch_selections, st.sampled_from(["branches", "some"]))
def test_a_plan_gives_what_the_usual_way_gives(branches, selection, field):
    query = f"query {{ {field} {{ {selection} }} }}"
    if "...L" in selection:
        query += " fragment L on Leaf { word colour }"
    results = [told(schema.execute_sync(query, context_value=branches)) for schema in (PLANNED, USUAL)]
    assert results[0] == results[1]


class Counting(Execution):
    """Counts how often the usual way was taken for a list."""

    usual = 0

    def complete_iterable_value(self, *args: Any, **kwargs: Any) -> Any:
        Counting.usual += 1
        return super().complete_iterable_value(*args, **kwargs)


@pytest.mark.parametrize(
    ("selection", "usual"),
    [
        ("leaf { word colour } leaves { key many } nested { count }", 0),
        ("leaf { word } loud", 1),
        ("times leaves { word }", 1),
    ],
)
def test_plain_selections_are_planned_and_others_only_below(selection, usual):
    one = Leaf(
        word="a",
        maybe=None,
        count=1,
        many=[1],
        colour=Colour.RED,
        share=0.5,
        sure=True,
        key=strawberry.ID("k"),
    )
    branches = [Branch(leaf=one, perhaps=None, leaves=[one], gaps=None, nested=[[one]])]
    schema = strawberry.Schema(query=Query, execution_context_class=Counting)
    Counting.usual = 0
    result = schema.execute_sync(f"{{ branches {{ {selection} }} }}", context_value=branches)
    assert result.errors is None
    assert Counting.usual == usual
