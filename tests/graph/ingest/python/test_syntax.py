"""One file to its record: symbols, spans, bad input."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.ingest.python import syntax
from graph.ingest.python.records import Definition
from graph.schema import Sort


def read(text: str) -> syntax.ModuleRecord:
    record = syntax.parse("m.py", textwrap.dedent(text).encode())
    assert record.diagnosis is None, record.diagnosis
    return record


def named(record: syntax.ModuleRecord) -> dict[str, Definition]:
    return {item.qualname + (f"#{item.ordinal}" if item.ordinal else ""): item for item in record.definitions}


def test_every_sort_of_symbol_is_found_with_its_place():
    found = named(
        read(
            '''\
            """Doc."""
            import os
            LIMIT = 3
            try:
                import json
            except ImportError:
                json = None
            for index in range(3): pass
            with open("x") as handle: pass

            @decorate
            class A(Base):
                size: int = 1

                def __init__(self, x):
                    self.x = x
                    self.size = 2

                @property
                def area(self): return 1
                @area.setter
                def area(self, value): self._area = value

                class Inner:
                    def deep(self): pass

            def outer():
                global COUNT
                COUNT = 1
                async def inner():
                    pass
                return inner
            '''
        )
    )
    sorts = {name: item.sort for name, item in found.items()}
    assert sorts == {
        "<module>": Sort.MODULE,
        "LIMIT": Sort.CONSTANT,
        "json": Sort.CONSTANT,
        "index": Sort.CONSTANT,
        "handle": Sort.CONSTANT,
        "A": Sort.CLASS,
        "A.size": Sort.ATTRIBUTE,
        "A.__init__": Sort.METHOD,
        "A.x": Sort.ATTRIBUTE,
        "A.area": Sort.METHOD,
        "A.area#1": Sort.METHOD,
        "A._area": Sort.ATTRIBUTE,
        "A.Inner": Sort.CLASS,
        "A.Inner.deep": Sort.METHOD,
        "outer": Sort.FUNCTION,
        "COUNT": Sort.CONSTANT,
        "outer.<locals>.inner": Sort.FUNCTION,
    }
    assert (found["A"].line, found["A"].mark, found["A"].name_column) == (11, 12, 6)
    assert (found["A.area#1"].line, found["A.area#1"].mark) == (21, 22)
    assert found["outer.<locals>.inner"].name_column == 14
    assert found["A.x"].name_column == 13
    assert found["A.area"].end == 20


def test_columns_are_characters_not_bytes():
    record = syntax.parse("m.py", 'é = "ü"; name = 1\nclass Ä:\n    def ö(self): self.ß = 1\n'.encode())
    found = named(record)
    assert found["name"].name_column == 9
    assert found["Ä"].name_column == 6
    assert found["Ä.ö"].name_column == 8
    assert found["Ä.ß"].name_column == 22


def test_conditional_definitions_are_told_apart_by_ordinal():
    found = named(read("if a:\n    def f(): return 1\nelse:\n    def f(): return 2\n"))
    assert {"f", "f#1"} <= found.keys()


def test_names_of_a_typing_block_are_symbols_that_do_not_run():
    record = read("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from x import Y\n    A = Y\n")
    assert [item.typing_only for item in record.uses.imports] == [False, True]
    assert record.definitions[0].code == "00000000"


BAD = {
    "nesting": (b"(" * 10_000 + b")" * 10_000, "python.nesting"),
    "unary": (b"x=" + b"-" * 100_000 + b"1", "python.nesting"),
    "sum": (b"x=1" + b"+1" * 100_000, "python.nesting"),
    "attributes": (b"x=a" + b".b" * 100_000, "python.nesting"),
    "elif": (b"if x: pass\n" + b"elif y: pass\n" * 5_000, "python.nesting"),
    "one long line": (b'x = "' + b"a" * 5_000_000 + b'"\n', "python.line"),
    "large": (b"x = 1\n" * 1_500_000, "python.size"),
    "null bytes": (b"x = 1\0", "python.binary"),
    "utf-16": ("x = 1".encode("utf-16"), "python.binary"),
    "not utf-8": (b'x = "\xe9"\n', "python.encoding"),
    "unknown cookie": (b"# coding: nonsense\nx = 1\n", "python.encoding"),
    "not text": (b"# coding: hex\n00", "python.encoding"),
    "print statement": (b'print "x"\n', "python.version"),
    "old except": (b"try:\n  pass\nexcept A, e:\n  pass\n", "python.version"),
    "syntax": (b"def f(:\n", "python.syntax"),
    "indentation": (b"if 1:\n\tx\n        y\n", "python.syntax"),
    "huge number": (b"x = " + b"9" * 5_000, "python.syntax"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_becomes_a_diagnosis(name):
    data, code = BAD[name]
    record = syntax.parse("bad.py", data)
    assert record.diagnosis is not None
    assert record.diagnosis.code == code
    assert record.diagnosis.message and record.diagnosis.hint
    assert [item.qualname for item in record.definitions] == ["<module>"]
    assert syntax.decode(syntax.encode(record)) == record


GOOD = {
    "byte order mark": b"\xef\xbb\xbfx = 1\n",
    "latin-1": '# -*- coding: latin-1 -*-\nx = "é"\n'.encode("latin-1"),
    "form feed": b"\x0c\nx = 1\n\x0cdef f():\n  pass\n",
    "carriage returns": b"y = 2\rx = 1\r",
    "backslash": b"x = 1\\\n+2\ndef \\\n  f(): pass\n",
    "surrogate": b'x = "\\ud800"\n',
    "many strings": b"x = " + b'"a" ' * 50_000,
    "deep classes": b"".join(b" " * n + b"class a:\n" for n in range(90)) + b" " * 90 + b"x = 1\nx = 1\n",
    "huge hexadecimal": b"x = 0x" + b"f" * 50_000,
    "deep sum": b"x = 1" + b"+1" * 900,
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_unusual_but_right_is_read(name):
    record = syntax.parse("good.py", GOOD[name])
    assert record.diagnosis is None
    assert "x" in {item.qualname.rpartition(".")[2] for item in record.definitions}


def test_a_file_that_changes_but_does_not_parse_changes_its_digest():
    assert (
        syntax.parse("a.py", b"def (").definitions[0].code
        != syntax.parse("a.py", b"def ((").definitions[0].code
    )


@given(st.binary(max_size=200))
def test_no_bytes_raise(data):
    record = syntax.parse("any.py", data)
    assert record.definitions[0].qualname == "<module>"
    assert syntax.decode(syntax.encode(record)) == record


_WORDS = st.sampled_from(
    [
        "x",
        "y",
        "self.",
        "f(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "=",
        ":=",
        ",",
        ".",
        ";",
        "\n",
        "def",
        "class",
        "lambda",
        "for",
        "in",
        "if",
        "else",
        "import",
        "from",
        "as",
        "with",
        "try",
        "except",
        "return",
        "yield",
        "await",
        "async",
        "global",
        "nonlocal",
        "del",
        "*",
        "**",
        "@",
        "1",
        "'a'",
        "#",
        "\\",
        "match",
        "case",
        "_",
        "\t",
    ]
)


@settings(max_examples=300)
@given(st.lists(_WORDS, max_size=30).map(" ".join))
def test_no_sequence_of_words_raises(text):
    record = syntax.parse("any.py", text.encode())
    for item in record.definitions:
        assert 1 <= item.line <= item.end
        assert len(item.code + item.signature + item.decoration + item.documentation) == 32
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        assert record.diagnosis is not None
    else:
        assert record.diagnosis is None
