"""What the digests of a definition see, and what they do not."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graph.ingest.python import syntax


def digests(text: str) -> dict[str, tuple[str, str, str]]:
    record = syntax.parse("m.py", textwrap.dedent(text).encode())
    assert record.diagnosis is None, record.diagnosis
    return {f"{d.qualname}#{d.ordinal}": (d.code, d.signature, d.decoration) for d in record.definitions}


def changed(before: str, after: str) -> set[str]:
    """Names of the symbols whose code, signature or decoration differ."""
    old, new = digests(before), digests(after)
    return {name.removesuffix("#0") for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


UNSEEN = {
    "comments": ("def f():\n    return 1\n", "# a\ndef f():  # b\n\n    # c\n    return 1\n"),
    "quotes": ("x = 'a'\n", 'x = "a"\n'),
    "parentheses": ("x = (1 + 2)\n", "x = 1 + 2\n"),
    "docstring": ("def f():\n    pass\n", 'def f():\n    """What."""\n'),
    "docstring of a class": ("class A:\n    x = 1\n", 'class A:\n    """What."""\n    x = 1\n'),
    "docstring of a module": ("x = 1\n", '"""What."""\nx = 1\n'),
    "annotations": ("def f(a, *, b=1): return a\n", "def f(a: int, *, b: str = 1) -> int: return a\n"),
    "annotation of a variable": ("x = 1\ndef f():\n    y = 2\n", "x: int = 1\ndef f():\n    y: int = 2\n"),
    "annotations under a property": (
        "class A:\n    @property\n    def f(self): return 1\n",
        "class A:\n    @property\n    def f(self) -> int: return 1\n",
    ),
    "future import": ("x = 1\n", "from __future__ import annotations\nx = 1\n"),
    "typing block": ("x = 1\n", "import typing\nx = 1\n".replace("import typing\n", "")),
    "line breaks": ("f(a, b)\n", "f(\n    a,\n    b,\n)\n"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_observed_changes_nothing(name):
    assert changed(*UNSEEN[name]) == set()


SEEN = {
    "body": ("def f(): return 1\ndef g(): return 1\n", "def f(): return 2\ndef g(): return 1\n", {"f"}),
    "default": ("def f(a=1): pass\n", "def f(a=2): pass\n", {"f"}),
    "kind of a parameter": ("def f(a, b): pass\n", "def f(a, *, b): pass\n", {"f"}),
    "decorator": ("@a\ndef f(): pass\n", "@b\ndef f(): pass\n", {"f"}),
    "constant": ("X = 1\nY = 2\n", "X = 1\nY = 3\n", {"Y"}),
    "augmented": ("X = [1]\n", "X = [1]\nX += [2]\n", {"X"}),
    "module's own statement": ("f(1)\nX = 1\n", "f(2)\nX = 1\n", {"<module>"}),
    "class attribute": ("class A:\n    x = 1\n    y = 2\n", "class A:\n    x = 1\n    y = 3\n", {"A.y"}),
    "instance attribute": (
        "class A:\n    def f(self): self.x = 1\n",
        "class A:\n    def f(self): self.x = 2\n",
        {"A.f", "A.x"},
    ),
    "bases": ("class A(B): pass\n", "class A(C): pass\n", {"A"}),
    "metaclass": ("class A(B): pass\n", "class A(B, metaclass=M): pass\n", {"A"}),
    "field": (
        "@dataclass\nclass A:\n    x: int = 1\n",
        "@dataclass\nclass A:\n    x: str = 1\n",
        {"A", "A.x"},
    ),
    "annotations that a framework may read": (
        "@app.get\ndef f(a: int): pass\n",
        "@app.get\ndef f(a: str): pass\n",
        {"f"},
    ),
    "nested function": (
        "def f():\n    def g(): return 1\n    return g\n",
        "def f():\n    def g(): return 2\n    return g\n",
        {"f.<locals>.g"},
    ),
    "method": ("class A:\n    def f(self): return 1\n", "class A:\n    def f(self): return 2\n", {"A.f"}),
    "condition around bindings": (
        "if a:\n    X = 1\nelse:\n    def f(): pass\n",
        "if b:\n    X = 1\nelse:\n    def f(): pass\n",
        {"X", "f"},
    ),
    "loop": ("for i in a: f(i)\n", "for i in b: f(i)\n", {"<module>", "i"}),
    "script": (
        "if __name__ == '__main__':\n    f(1)\n",
        "if __name__ == '__main__':\n    f(2)\n",
        {"<module>"},
    ),
    "import": ("import a\nX = 1\n", "import b\nX = 1\n", {"<module>"}),
    "constant's type": ("X = 1\n", "X = True\n", {"X"}),
    "string and bytes": ("X = 'a'\n", "X = b'a'\n", {"X"}),
    "added method": ("class A:\n    x = 1\n", "class A:\n    x = 1\n    def f(self): pass\n", {"A.f"}),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_can_be_observed_changes_its_symbol_alone(name):
    before, after, expected = SEEN[name]
    assert changed(before, after) == expected


_NAMES = st.sampled_from(["a", "b", "self", "value"])
_EXPRESSIONS = st.recursive(
    _NAMES | st.integers(0, 9).map(str) | st.sampled_from(["'s'", "None", "True"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
        inner.map(lambda text: f"f({text}, k={text})"),
        inner.map(lambda text: f"[{text} for x in {text} if x]"),
        inner.map(lambda text: f"({text}).attribute"),
        inner.map(lambda text: f"(lambda y: {text})"),
    ),
    max_leaves=6,
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A module with constants, functions and a class."""
    lines = []
    for at in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 4))
        text = draw(_EXPRESSIONS)
        lines += {
            0: [f"C{at} = {text}"],
            1: [f"def f{at}(a, b={text}):", f"    c = {text}", f"    return {draw(_EXPRESSIONS)}"],
            2: [f"class K{at}(a):", f"    x = {text}", "    def m(self):", f"        self.y = {text}"],
            3: [f"if {text}:", f"    D{at} = 1", "else:", f"    g({text})"],
            4: [f"with {text} as w{at}:", f"    g({text})"],
        }[kind]
    return "\n".join(lines) + "\n"


@settings(max_examples=150)
@given(sources())
def test_rewriting_the_same_tree_changes_no_digest(text):
    again = ast.unparse(ast.parse(text))
    assume(ast.dump(ast.parse(again)) == ast.dump(ast.parse(text)))
    assert digests(text) == digests(again)
    commented = "".join(
        f"# note\n\n{line}\n" if not line.startswith(" ") else line + "  # note\n"
        for line in text.splitlines()
    )
    assume(_same(commented, text))
    assert digests(commented) == digests(text)


def _same(first: str, second: str) -> bool:
    try:
        return ast.dump(ast.parse(first)) == ast.dump(ast.parse(second))
    except SyntaxError:
        return False


@settings(max_examples=150)
@given(sources(), st.integers(10, 10**6))
def test_another_constant_anywhere_changes_a_digest(text, number):
    tree = ast.parse(text)
    numbers = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int]
    assume(numbers)
    numbers[number % len(numbers)].value = number
    assert digests(text) != digests(ast.unparse(tree))
