"""Room behind functions: the text is the same but for comments, and what follows an edit stays put."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from graph.ingest.python import syntax
from graph.ingest.python.slack import ROOM, ends, line_of, spread

_body = st.lists(
    st.sampled_from(["x = 1", "print('é')", "y = [\n        1,\n    ]", '"""a\nb"""']), max_size=3
)
_function = st.builds(
    lambda name, body: f"def {name}():\n" + "".join(f"    {line}\n" for line in body) + "    return 1\n",
    st.sampled_from("fgh"),
    _body,
)
_class = st.builds(
    lambda functions: (
        "class K:\n    z = 0\n"
        + "".join(
            "    " + line + "\n" for text in functions for line in text.split("\n") if '"""' not in text
        )
    ),
    st.lists(_function, max_size=3),
)
_module = st.lists(st.one_of(_function, _class, st.just("v = 2\n"), st.just("\n")), max_size=6).map("".join)


@given(_module)
def test_comments_are_all_that_comes_in(text: str) -> None:
    data = text.encode()
    found = spread(data, ends(syntax.parse("a.py", data)), {})
    lines = found.text.split(b"\n")
    assert ast.dump(ast.parse(found.text)) == ast.dump(ast.parse(data))
    kept = [(at, line) for at, line in enumerate(lines, 1) if at not in found.lines]
    source = data.split(b"\n")
    assert [line for _, line in kept][: len(source)] == source
    for at, line in kept[: len(source)]:
        assert source[line_of(at, found.lines) - 1] == line


@given(_module, st.integers(0, 200))
def test_what_follows_an_edit_stays_at_its_byte(text: str, size: int) -> None:
    def shown(body: str, before: dict[str, int]) -> tuple[bytes, dict[str, int]]:
        data = f"def first():\n    {body}\n\n{text}def last():\n    return 2\n".encode()
        found = spread(data, ends(syntax.parse("a.py", data)), before)
        return found.text, found.places

    old, places = shown("return 1", {})
    new, same = shown("return 1" + "0" * size, places)
    assert same == places
    assert old.index(b"def last") == new.index(b"def last")
    again, moved = shown("return 1", places)
    assert (again, moved) == (old, places)


def test_an_edit_beyond_the_room_moves_what_follows_and_gets_new_room() -> None:
    data = b"def f():\n    return 1\n\ndef g():\n    return 2\n"
    places = spread(data, ends(syntax.parse("a.py", data)), {}).places
    grown = data.replace(b"return 1", b"return '" + b"x" * ROOM + b"'")
    found = spread(grown, ends(syntax.parse("a.py", grown)), places)
    assert found.places["f#0"] > places["f#0"] and found.places["g#0"] > places["g#0"]
    assert ast.dump(ast.parse(found.text)) == ast.dump(ast.parse(grown))
