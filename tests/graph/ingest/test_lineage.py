"""Spans carried back: against what a slow reading of differences says, and through real commits."""

from __future__ import annotations

import difflib
import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from graph.ingest.authorship import read_authorship
from graph.ingest.lineage import Hunk, Span, Step, carry, trace_spans

lines = st.lists(st.sampled_from("abcde"), max_size=12)


def hunks(old, new):
    """As a difference without context tells them."""
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found.append(Hunk(a + (b > a), b - a, c + (d > c), d - c))
    return found


@given(lines, lines, st.data())
@settings(max_examples=300)
@example(["a", "b", "c"], ["a", "c"], None)
def test_a_span_is_touched_where_a_line_of_it_came_or_went_within_it(old, new, data):
    if not new:
        return
    first = data.draw(st.integers(1, len(new))) if data else 1
    last = data.draw(st.integers(first, len(new))) if data else 2
    matched = {}
    for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        matched.update({block.b + i + 1: block.a + i + 1 for i in range(block.size)})
    inside = [matched.get(line) for line in range(first, last + 1)]
    touched, span = carry(Span(first, last), hunks(old, new))
    kept = [line for line in inside if line]
    gap = len(kept) == len(inside) and kept != list(range(kept[0], kept[0] + len(kept)))
    assert touched is (None in inside or gap)
    if not touched:
        assert span == Span(kept[0], kept[-1])
    elif kept:
        assert span is not None and span.first <= kept[0] and span.last >= kept[-1]


def test_the_commits_that_changed_each_function(sketch, mirrored):
    one, two = b"def one():\n    return 1\n", b"def two():\n    return 2\n"
    commits = [
        sketch.commit({"old.py": one + b"\n" + two}),
        sketch.commit({"old.py": b"import os\n\n" + one + b"\n" + two}),
        sketch.commit({"old.py": b"import os\n\n" + one + b"\n" + two.replace(b"2", b"3")}),
        sketch.commit({"old.py": None, "new.py": b"import os\n\n" + one.replace(b"1", b"4") + b"\n" + two}),
    ]
    now = sketch.files["new.py"]
    steps = [Step(commits[3], "new.py", "old.py"), *(Step(c, "old.py", "old.py") for c in commits[2::-1])]
    far = time.monotonic() + 60
    found, complete = trace_spans(mirrored(sketch), now, [Span(3, 4), Span(6, 7), Span(1, 1)], steps, far)
    assert complete
    assert found == [[commits[3], commits[0]], [commits[3], commits[2], commits[0]], [commits[1]]]
    ahead = b"# above\n" + now
    found, _ = trace_spans(mirrored(sketch), ahead, [Span(4, 5)], steps, far)
    assert found == [[commits[3], commits[0]]], "what is not committed yet only moves the lines"


def test_a_budget_and_what_cannot_be_read_are_said(sketch, mirrored):
    head = sketch.commit({"a.py": b"x = 1\n", "b.bin": b"\0\1"})
    mirror = mirrored(sketch)
    assert trace_spans(mirror, b"x = 1\n", [Span(1, 1)], [Step(head, "a.py", "a.py")], -1.0) == ([[]], False)
    far = time.monotonic() + 60
    assert trace_spans(mirror, b"\0\1", [Span(1, 1)], [Step(head, "b.bin", "b.bin")], far) == ([[]], False)
    assert trace_spans(mirror, b"x = 1\n", [], [Step(head, "a.py", "a.py")], far) == ([], True)


def test_who_made_a_change(sketch, mirrored):
    base = sketch.commit({"a": b"1"})
    first = sketch.commit({"a": b"2"}, "One\n\nCo-authored-by: Bob <bob@x>", author=("Ann", "ann@x"))
    bot = sketch.commit({"a": b"3"}, author=("dependabot[bot]", "d@x"))
    head = sketch.commit({"a": b"4"}, author=("Bob", "bob@x"))
    mirror = mirrored(sketch)
    found = read_authorship(mirror, base, head)
    assert found.commits == (head, bot, first) and found.complete
    assert [person.name for person in found.authors] == ["Bob", "Ann", "dependabot[bot]"]
    assert read_authorship(mirror, "", head, limit=2).complete is False
    assert read_authorship(mirror, head, base).authors == ()
