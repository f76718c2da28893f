"""From a recording's lines to symbols, and the shelf that recordings are kept on."""

from __future__ import annotations

import recordings_made as made
from hypothesis import given
from hypothesis import strategies as st

from graph import recordings
from graph.errors import CorruptError, RepositoryError
from graph.facts import Hyperedge, Scope
from graph.ingest.recordings import Layout, identifier, read
from graph.schema import EdgeKind
from graph.workspace import Workspace

SCOPE = Scope("t", "shop")
TEXT = """import os

LIMIT = 3


@cached
def outer(
    x=LIMIT,
):
    def inner():
        return 1
    return inner


class Bag:
    size = 1

    def put(self): return 1

    if os.name:
        def get(self):
            self.got = 2
            return 2
"""
FILES = {"app.py": TEXT, "t.py": "def test_a():\n    pass\n", "data.txt": "x"}


def executed(*lines):
    bits = sum(1 << line for line in lines)
    return {node.key.rpartition("::")[2] for node in Layout(SCOPE, "app.py", TEXT.encode()).executed(bits)}


def test_lines_mean_the_innermost_definition_and_headers_what_holds_them():
    assert executed(1) == {"<module>"}
    assert executed(3) == {"LIMIT"}
    assert executed(6) == executed(7) == executed(8) == {"<module>"}
    assert executed(10) == executed(12) == {"outer"}
    assert executed(11) == {"outer.<locals>.inner"}
    assert executed(15) == {"Bag"} and executed(16) == {"Bag.size"}
    assert executed(18) == {"Bag", "Bag.put"}  # one line makes it and runs it: both are told
    assert executed(21) == {"Bag"} and executed(23) == {"Bag.get"}
    assert executed(22) == {"Bag.get", "Bag.got"}


@given(st.sets(st.integers(1, TEXT.count("\n")), min_size=1))
def test_every_line_of_a_file_belongs_to_some_symbol(lines):
    assert executed(*lines) == set().union(*map(executed, lines))
    assert executed(*lines)


@given(st.text(max_size=80), st.integers(0, 1 << 40))
def test_any_text_has_a_layout(text, bits):
    layout = Layout(SCOPE, "x.py", text.encode("utf-8", "surrogatepass"))
    assert len(layout.nodes) == len(layout.masks) >= 1
    list(layout.executed(bits))


def blobs(ident):
    known = {made.blob(text): text.encode() for text in FILES.values()}
    if ident not in known:
        raise RepositoryError("It is not here.")
    return known[ident]


def test_parameters_are_one_test_and_the_newest_state_tells_of_it():
    newer = made.recording(
        FILES,
        [
            made.ran("t.py::test_a[1]", {"app.py": [11]}),
            made.ran("t.py::test_a[2]", {"app.py": [12]}, ["data.txt"]),
        ],
        commit="b" * 40,
        recorded=2.0,
    )
    older = made.recording(FILES, [made.ran("t.py::test_a[1]", {"app.py": [23]})], commit="a" * 40)
    found = read(SCOPE, made.at(newer, earlier=(older,)), blobs)
    edges = [fact for fact in found.batch if isinstance(fact, Hyperedge)]
    assert [edge.kind for edge in edges] == [EdgeKind.EXECUTES, EdgeKind.READS_FILE]
    names = [member.key.partition(":")[2] or member.key for member in edges[0].members]
    assert names[:3] == ["t.py::test_a", "app.py::outer", "app.py::outer.<locals>.inner"]
    assert dict(edges[0].props) == {"commit": "b" * 40, "phase": "call"}
    assert found.tests == 1 and found.unplaced == ()


def test_a_file_that_no_commit_has_is_told_and_not_guessed():
    edited = made.recording(
        {**FILES, "app.py": TEXT + "# edited\n"}, [made.ran("t.py::test_a", {"app.py": [11]})]
    )
    found = read(SCOPE, edited, blobs)
    assert found.unplaced == ("app.py",)
    assert not [fact for fact in found.batch if isinstance(fact, Hyperedge)]


def test_ids_of_tests_lose_their_parameters_only():
    assert identifier("a/t.py::TestX::test_y[a::b[c]]") == ("a/t.py", "TestX::test_y")
    assert identifier("a/t.py") == ("a/t.py", "")


def test_the_shelf_keeps_by_content_and_refuses_what_is_damaged(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.prepare(SCOPE)
    assert recordings.load(workspace, SCOPE) is None
    for number in (1.0, 2.0):
        whole = made.recording(FILES, [made.ran(f"t.py::test_{number:.0f}", {})], recorded=number)
        data = made.data(whole)
        for _ in range(2):
            recordings.keep(workspace, SCOPE, data, recordings.describe(data, whole))
    assert [note.recorded for note in recordings.kept(workspace, SCOPE)] == [2.0, 1.0]
    loaded = recordings.load(workspace, SCOPE)
    assert {node for state in loaded.states() for node in state.tests} == {"t.py::test_1", "t.py::test_2"}
    merged = next(workspace.recordings(SCOPE).glob("*.merged"))
    merged.write_bytes(b"damaged")
    assert recordings.load(workspace, SCOPE) == loaded  # made again of the recordings themselves
    (one, *_) = workspace.recordings(SCOPE).glob("*.recording")
    one.write_bytes(one.read_bytes() + b"x")
    merged.unlink()
    try:
        recordings.load(workspace, SCOPE)
    except CorruptError as error:
        assert str(one) in error.message
    else:
        raise AssertionError("a damaged recording was trusted")
