"""Headers that the engine is shown instead of what is written."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from graph.ingest.python.records import Site
from graph.ingest.python.rewriting import Header, Origin, rewrite, transcode


def show(text: str, *headers: Header) -> str:
    return rewrite(text.encode(), headers, imported="m", unknown="m.u").text.decode()


def test_decorator_is_blanked_in_place() -> None:
    text = "@keep\n@pytest.fixture(\n    scope='x',\n)\ndef f(): pass\n"
    shown = show(text, Header(1, 5, blanked=frozenset(["pytest.fixture"])))
    assert [line.rstrip() for line in shown.split("\n")] == ["@keep", "", "", "", "def f(): pass", ""]


def test_foreign_property_is_read_as_one() -> None:
    text = "class A:\n    @cached_property\n    def f(self): pass\n"
    shown = show(text, Header(2, 3, properties=frozenset(["cached_property"])))
    assert shown.split("\n")[1].rstrip() == "    @property"


def test_parameters_get_defaults_and_those_behind_them_too() -> None:
    text = "def f(a, b, c: int, d=1, *args, e, g=2, **rest): pass\n"
    shown = show(text, Header(1, 1, {"a": "m.x", "e": "m.y", "g": "m.z", "d": "m.w"}))
    assert shown == "def f(a=m.x, b=m.u, c: int=m.u, d=1, *args, e=m.y, g=2, **rest): pass\n\nimport m\n"


def test_annotated_parameter_keeps_its_type() -> None:
    text = "def f(a: int, b): pass\n"
    assert "a: int, b=m.x" in show(text, Header(1, 1, {"a": "m.y", "b": "m.x"}))


def test_header_over_several_lines_with_odd_text() -> None:
    text = "def f(\n    a,  # ):\n    b='):', c={1: 2}, *,\n    é,\n) -> 'x:y': pass\n"
    shown = show(text, Header(1, 1, {"a": "m.x", "é": "m.y"}))
    ast.parse(shown)
    assert "    a=m.x,  # ):\n" in shown
    assert "    é=m.y,\n" in shown


def test_header_that_does_not_parse_stays() -> None:
    for text in ("def f(a\n", "x = 1\n", "def f(:\n  pass\n", ""):
        assert show(text, Header(1, 1, {"a": "m.x"}), Header(9, 12, {"a": "m.x"})) == text


NAMES = st.sampled_from(["a", "bb", "é", "ccc_c"])


@given(st.lists(NAMES, unique=True), st.sets(NAMES), st.booleans(), st.integers(0, 3))
def test_lines_stay_and_columns_find_back(
    names: list[str], handed: set[str], method: bool, before: int
) -> None:
    indent = "    " if method else ""
    head = "#\n" * before + ("class A:\n" if method else "")
    line = f"{indent}def f({', '.join(names)}): return g(1)\n"
    text = head + line
    mark = head.count("\n") + 1
    header = Header(mark, mark, {name: f"m.{name}" for name in handed})
    rewritten = rewrite(text.encode(), [header], imported="m", unknown="m.u")
    ast.parse(rewritten.text)
    lines = rewritten.text.decode().split("\n")
    assert len(lines) >= text.count("\n")
    nodes = ast.walk(ast.parse(rewritten.text))
    call = next(node for node in nodes if isinstance(node, ast.Call) and node.lineno == mark)
    origin = Origin(rewritten.insertions)
    site = origin.site(Site(mark, call.col_offset, mark, call.end_col_offset or 0))
    assert site is not None
    raw = line.encode()
    assert raw[site.column : site.end_column] == b"g(1)"
    for put in rewritten.insertions:
        shift = sum(other.length for other in rewritten.insertions if other.column < put.column)
        inside = Site(put.line, put.column + shift + 1, put.line, put.column + shift + put.length)
        assert origin.site(inside) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_transcoded_or_refused(data: bytes) -> None:
    found = transcode(data)
    assert found is None or (b"\r" not in found and found.decode("utf-8") is not None)


def test_declared_encodings() -> None:
    assert transcode("# coding: latin-1\n'é'\r\n".encode("latin-1")) == "# coding: latin-1\n'é'\n".encode()
    assert transcode(b"\xef\xbb\xbfx = 1\r") == b"x = 1\n"
    assert transcode(b"# coding: nonsense\n\xe9") is None
    assert transcode(b"'\xe9'\n") is None
