"""Our own resolver says the same of a program in whatever order it is asked, circles included."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from graph.facts import Scope
from graph.ingest.python import scopes, syntax
from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.program import Program

NAMES = ("f", "g", "h")
FILES = ("a", "b", "c")

_value = st.sampled_from(
    [*(f"{file}.{name}" for file in FILES for name in NAMES)] + [f"{file}.K" for file in FILES]
)
_expression = st.builds("{}{}".format, _value, st.sampled_from(["", "()", "().run()", "().part"]))
_function = st.lists(_expression, min_size=1, max_size=3)


def _text(bodies: list[list[str]], bases: list[str]) -> str:
    """A module of three functions and a class, each of which may lead to any other."""
    lines = [f"import {', '.join(FILES)}"]
    for name, expressions in zip(NAMES, bodies, strict=False):
        lines += [f"def {name}(x):", *(f"    if x: return {other}" for other in expressions)]
    lines += [f"class K({', '.join(dict.fromkeys(bases))}):", "    part = " + bodies[0][0]]
    lines += ["    def run(self):", "        self.field = " + bodies[1][0], "        return self.field"]
    lines += [f"{file}.{name}().run()" for file in FILES for name in NAMES]
    return "\n".join(lines) + "\n"


_module = st.builds(
    _text,
    st.lists(_function, min_size=3, max_size=3),
    st.lists(st.sampled_from([f"{file}.K" for file in FILES]), max_size=1),
)


def _linked(records: dict[str, ModuleRecord]) -> tuple[set[str], set[str]]:
    linked = scopes.link(Program(Scope("t", "r"), records))
    return set(map(repr, linked.calls)), set(map(repr, linked.facts))


HIDDEN = [
    _text([["a.h()"], ["a.f"], ["b.f()", "b.K"]], []),
    _text([["a.f().part", "a.K"], ["a.f"], ["a.f"]], []),
    _text([["a.f"], ["a.f"], ["a.f"]], []),
]
"""What `part` of b.K holds stands on a circle with b.f, which that of a.f hides from whoever begins there."""


@settings(max_examples=60, deadline=None)
@example(HIDDEN)
@given(st.lists(_module, min_size=3, max_size=3))
def test_the_order_of_files_decides_nothing(texts: list[str]) -> None:
    records = {
        f"{name}.py": syntax.parse(f"{name}.py", text.encode())
        for name, text in zip(FILES, texts, strict=True)
    }
    backwards = dict(reversed(list(records.items())))
    assert _linked(records) == _linked(backwards)
