from __future__ import annotations

import io
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from api import documents, pictures
from api.console import THEME
from api.documents import Changed, Hub, Impact, Owning, Reached, Step, Symbol, Unread
from api.rendering import place, plural, print_impact, printable, title


def node(name: str, path: str = "src/a.py", line: int = 3, kind: str = "Symbol") -> Symbol:
    return Symbol(key=f"t/r:{path}::{name}", kind=kind, sort="function", name=name, path=path, line=line)


def step(
    source: Symbol, target: Symbol, tier: str = "exact", edge: str = "Calls", side: str = "both"
) -> Step:
    return Step(source=source, target=target, edge=edge, tier=tier, path=target.path, line=9, side=side)


START, NEAR, FAR, TEST = (
    node("start"),
    node("near"),
    node("far", "src/b.py"),
    node("test_far", "t.py", 1, "Test"),
)


def cone(**changes: object) -> Impact:
    first, second = step(START, NEAR), step(NEAR, FAR, "hierarchy", "Overrides", "base")
    fields: dict[str, object] = {
        "repository": "r",
        "asked": "a..b",
        "base": "a" * 40,
        "head": "b" * 40,
        "indexed": "b" * 40,
        "run": 4,
        "derived": ("resolved", "indexed"),
        "changed": (Changed(symbol=START, reasons=("body",)),),
        "reached": (
            Reached(symbol=NEAR, distance=1, tier="exact", proof=(first,)),
            Reached(symbol=FAR, distance=2, tier="hierarchy", proof=(first, second)),
        ),
        "tests": (
            Reached(symbol=TEST, distance=3, tier="typed", proof=(first, second, step(FAR, TEST, "typed"))),
        ),
        "edges": {"exact": 2, "hierarchy": 1},
        "owners": (Owning(owner="@team", changed=1, reached=1, symbols=2),),
    }
    return Impact(**{**fields, **changes})  # type: ignore[arg-type]


def shown(impact: Impact, width: int = 100, everything: bool = False, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, theme=THEME, highlight=False, markup=False, **options)  # type: ignore[arg-type]
    print_impact(console, impact, everything)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_write_is_not_told_as_a_read():
    written = msgspec.structs.replace(step(START, NEAR, "typed"), edge="References", role="target")
    entry = Reached(symbol=NEAR, distance=1, tier="typed", proof=(written,))
    assert "start → writes it:9" in shown(cone(reached=(entry,)))


def test_a_cone_shows_what_it_starts_from_reaches_and_proves():
    text = shown(cone())
    for words in (
        "r  a..b",
        "base aaaaaaaaaa (resolved)",
        "indexed bbbbbbbbbb, run 4",
        "1 symbol in 1 file",
        "start  src/a.py:3",
        "2 symbols in 2 files, 1 test",
        "start → called by it:9",
        "start → called by near:9 → overrides it:9 [before]",
        "t.py::test_far",
        "@team (1 changed, 1 reached)",
        "2 exact, 1 hierarchy",
        "0 references in these symbols could not be followed",
    ):
        assert words in text


def test_what_is_not_sure_is_shown():
    text = shown(cone(unfollowed=7, possible={"name": 3}, hubs=(Hub(symbol=NEAR, dependents=12_000),)))
    assert "7 references in these symbols could not be followed" in text
    assert "3 name  more by weaker tiers" in text
    assert "1 hub not followed, 12,000 edges: near" in text


def test_a_change_of_nothing_that_runs_says_so():
    quiet = (Unread(path="a.py", reason="nothing that runs differs"),)
    text = shown(cone(changed=(), reached=(), tests=(), silent=quiet))
    assert "Nothing that runs differs." in text
    assert "a.py" in text
    assert "Reaches" not in text


def test_a_change_that_was_not_read_is_not_called_harmless():
    unread = (Unread(path="a.c", reason=documents.UNSUPPORTED), Unread(path="b.md", reason=documents.PROSE))
    text = shown(cone(changed=(), reached=(), tests=(), silent=unread))
    assert "Nothing that runs differs." not in text
    assert "What 1 file without a reader did was not followed." in text


def test_a_change_that_reaches_nothing_says_so():
    text = shown(cone(reached=(), tests=()))
    assert "Reaches  nothing else" in text
    assert "Tests  none is reached" in text


def test_a_long_list_is_cut_with_its_count_and_shown_whole_on_demand():
    many = tuple(
        Reached(symbol=node(f"f{i}", f"src/{i}.py"), distance=1, tier="exact", proof=(step(START, NEAR),))
        for i in range(30)
    )
    text = shown(cone(reached=many, tests=()))
    assert "and 25 more symbols (--all)" in text
    assert len(text.splitlines()) < 40
    whole = shown(cone(reached=many, tests=()), everything=True)
    assert all(f"src/{i}.py:3" in whole for i in range(30))
    assert "--all" not in whole


def test_rings_far_away_are_counted():
    rings = tuple(
        Reached(symbol=node(f"f{i}"), distance=i, tier="exact", proof=(step(START, NEAR),))
        for i in range(1, 9)
    )
    assert "and 4 more symbols farther away (--all)" in shown(cone(reached=rings))


def test_a_long_proof_loses_its_middle_unless_all_is_asked_for():
    links = [node(f"n{i}") for i in range(8)]
    proof = tuple(step(a, b) for a, b in pairwise(links))
    entry = Reached(symbol=links[-1], distance=7, tier="exact", proof=proof)
    text = " ".join(shown(cone(reached=(entry,)), width=200).split())
    assert "→ 4 steps more →" in text
    assert "n3" not in text
    assert "n3" in shown(cone(reached=(entry,)), width=200, everything=True)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert all(len(line) <= width for line in shown(cone(), width).splitlines())


def test_no_colour_where_none_is_wanted():
    assert "\x1b" not in shown(cone())
    assert "\x1b" in shown(cone(), force_terminal=True, color_system="standard", no_color=False)
    assert "\x1b[3" not in shown(cone(), force_terminal=True, color_system="standard", no_color=True)


def test_names_cannot_drive_the_terminal():
    evil = node("\x1b[2Jgone", "src/\x07\n.py")
    text = shown(cone(changed=(Changed(symbol=evil, reasons=()),), asked="\x1b]0;x"))
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text
    assert "\\x07\\n.py" in text


@given(st.text())
def test_what_is_printable_stays_and_all_becomes_printable(text):
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


def test_places_and_titles():
    assert title(node("<module>")) == "src/a.py"
    assert place(node("x", line=0)) == "src/a.py"
    assert [plural(n, w) for n, w in ((1, "class"), (2, "class"), (0, "entry"), (1200, "day"))] == [
        "1 class",
        "2 classes",
        "0 entries",
        "1,200 days",
    ]


def test_a_document_begins_with_its_shape_and_version():
    text = documents.encode(cone())
    decoded = msgspec.json.decode(text)
    assert next(iter(decoded.items())) == ("maestro", {"shape": "impact", "version": 1})
    assert decoded["reached"][1]["proof"][1]["side"] == "base"
    assert msgspec.convert({k: v for k, v in decoded.items() if k != "maestro"}, Impact) == cone()


def test_dot_draws_every_step_once():
    text = pictures.draw_dot(cone())
    assert text.startswith("digraph impact {")
    assert text.count(" -> ") == 3
    assert "peripheries=2" in text


def test_mermaid_draws_every_step_once():
    text = pictures.draw_mermaid(cone())
    assert text.startswith("flowchart LR")
    assert text.count("-->") + text.count("-.->") == 3
    assert "class n0 changed" in text


def test_a_picture_that_is_too_large_says_what_it_leaves_out():
    many = tuple(
        Reached(symbol=node(f"f{i}"), distance=1, tier="exact", proof=(step(START, node(f"f{i}")),))
        for i in range(pictures.LIMIT + 5)
    )
    assert "5 more edges were left out" in pictures.draw_dot(cone(reached=many, tests=()))
    assert "5 more edges were left out" in pictures.draw_mermaid(cone(reached=many, tests=()))


@settings(max_examples=50)
@given(st.text(min_size=1))
def test_labels_stay_inside_their_quotes(text):
    start = node(text, text)
    impact = cone(changed=(Changed(symbol=start, reasons=()),), reached=(), tests=())
    dot = [line for line in pictures.draw_dot(impact).split("\n") if "label=" in line]
    assert len(dot) == 1
    inside = dot[0].partition('label="')[2].rpartition('"')[0]
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    lines = pictures.draw_mermaid(impact).split("\n")
    assert len(lines) == 4
    assert (
        set(lines[1].partition('["')[2].rpartition('"]')[0]).isdisjoint('"[]{}`|;\x00\x1b') or "#" in lines[1]
    )
