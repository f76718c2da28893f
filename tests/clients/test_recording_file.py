"""The recording's file: what is written is read, and nothing else is."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maestro_selection.recording import (
    OUTCOMES_KEPT,
    PHASES,
    Distribution,
    Fixture,
    Note,
    Outcome,
    Process,
    Recording,
    RecordingError,
    Step,
    Test,
    Trace,
    bitmap,
    merge,
    numbers,
    packed,
    read,
    span,
    write,
)

names = st.text(st.characters(exclude_categories=()), max_size=8)
paths = st.lists(names.filter(bool), min_size=1, max_size=3).map("/".join)
some = st.frozensets(paths, max_size=3)
lines = st.dictionaries(paths, st.sets(st.integers(1, 4000), min_size=1, max_size=8).map(bitmap), max_size=3)
traces = st.builds(
    Trace,
    lines,
    some,
    some,
    some,
    some,
    st.frozensets(st.builds(Process, names, st.booleans()), max_size=2),
    some,
)
outcomes = st.builds(
    Outcome, st.sampled_from(["passed", "failed", "skipped"]), names, st.floats(0, 100, allow_nan=False)
)
steps = st.builds(Step, st.sampled_from(PHASES), names, traces)
tests = st.builds(
    Test,
    names,
    paths,
    names,
    names,
    st.lists(names, max_size=2).map(tuple),
    st.lists(outcomes, max_size=3).map(tuple),
    st.lists(steps, max_size=3).map(tuple),
)
recordings = st.builds(
    Recording,
    roots=st.just(("0" * 40,)),
    commit=names,
    dirty=st.booleans(),
    recorded=st.floats(0, 1e10),
    python=names,
    implementation=names,
    platform=names,
    distributions=st.dictionaries(
        names, st.builds(Distribution, names, st.just(("m",)), st.just(()), st.booleans()), max_size=2
    ),
    files=st.dictionaries(paths, names, max_size=3),
    tables=st.dictionaries(paths, st.dictionaries(names, st.integers()), max_size=2),
    tests=st.lists(tests, max_size=3).map(lambda made: {test.node: test for test in made}),
    fixtures=st.dictionaries(names, st.builds(Fixture, names, paths, names, names), max_size=2),
    imports=st.dictionaries(paths, traces, max_size=2),
    collections=st.dictionaries(paths, traces, max_size=2),
    session=traces,
    notes=st.lists(st.builds(Note, names, names, names, names), max_size=2).map(tuple),
    readers=st.dictionaries(
        paths, st.frozensets(st.tuples(paths, st.integers(1, 4000)), max_size=2), max_size=2
    ),
)


def plain(recording):
    """With tables that compare by what they hold."""
    states = [replace(state, tables=dict(state.tables), earlier=()) for state in recording.states()]
    return replace(states[0], earlier=tuple(states[1:]))


@given(recordings, recordings)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(one, other):
    both = replace(one, earlier=(other,))
    assert plain(read(packed(both))) == plain(both)
    assert packed(read(packed(both))) == packed(both)


@given(st.sets(st.integers(0, 5000)))
def test_bitmaps_hold_lines(held):
    assert set(numbers(bitmap(held))) == held


@given(st.integers(0, 300), st.integers(0, 300))
def test_spans_hold_their_ends(first, more):
    assert list(numbers(span(first, first + more))) == list(range(first, first + more + 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(content):
    for given_bytes in (content, gzip.compress(content)):
        with pytest.raises(RecordingError):
            read(given_bytes)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_refused(data):
    whole = packed(SMALL)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(RecordingError):
        read(whole[:cut])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_wrong_content_is_refused_or_read(data):
    """A value out of its place may make another recording, but no other error than a RecordingError."""
    text = gzip.decompress(packed(SMALL)).decode().split("\n")
    body = json.loads(text[1])
    key = data.draw(st.sampled_from(sorted(body)))
    body[key] = data.draw(st.sampled_from([None, 3, "x", [], {}, [[1]], {"a": [1, 2]}, {"a": 99}]))
    text[1] = json.dumps(body)
    try:
        read(gzip.compress("\n".join(text).encode()))
    except RecordingError as error:
        assert error.hint


def test_what_unpacks_to_too_much_is_refused():
    with pytest.raises(RecordingError, match="unpacks to more"):
        read(packed(SMALL), limit=100)


def test_more_behind_the_end_is_refused():
    with pytest.raises(RecordingError, match="follows its end"):
        read(packed(SMALL) + b"x")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        read(tmp_path / "nothing")


def test_writing_leaves_nothing_beside(tmp_path):
    write(SMALL, tmp_path / "made" / "recording")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["recording"]
    assert plain(read(tmp_path / "made" / "recording")) == plain(SMALL)


CALLED = Trace({"a.py": bitmap([1, 2])}, opened=frozenset(["data.txt"]))
SMALL = Recording(
    roots=("1" * 40,),
    commit="2" * 40,
    recorded=5.0,
    python="3.11.7",
    files={"a.py": "3" * 40, "data.txt": "4" * 40},
    tables={"a.py": {"version": 1}},
    tests={
        "a.py::test": Test(
            "a.py::test",
            "a.py",
            "test",
            outcomes=(Outcome("passed", "2", 0.5),),
            steps=(Step("call", "", CALLED),),
        )
    },
    imports={"a.py": CALLED},
)


def other(**changes):
    return replace(SMALL, **changes)


def test_shards_that_disagree_are_both_believed():
    seen = Trace({"a.py": bitmap([7])})
    test = SMALL.tests["a.py::test"]
    failed = replace(test, outcomes=(Outcome("failed", "2", 1.0),), steps=(Step("call", "", seen),))
    joined = merge([SMALL, other(recorded=6.0, tests={test.node: failed}, imports={"a.py": seen})])
    assert not joined.earlier
    found = joined.tests[test.node]
    assert {step.trace for step in found.steps} == {CALLED, seen}
    assert [outcome.result for outcome in found.outcomes] == ["passed", "failed"]
    assert found.flakiness == 1.0
    assert set(numbers(joined.imports["a.py"].lines["a.py"])) == {1, 2, 7}


def test_states_are_kept_apart():
    newer = other(commit="5" * 40, recorded=9.0, files={"a.py": "6" * 40})
    for given_order in ([SMALL, newer], [newer, SMALL]):
        joined = merge(given_order)
        assert joined.commit == newer.commit
        assert [state.commit for state in joined.earlier] == [SMALL.commit]
    again = merge([joined, SMALL])
    assert [state.commit for state in again.states()] == [newer.commit, SMALL.commit]


def test_edited_files_make_another_state():
    edited = other(dirty=True, recorded=9.0, files={**SMALL.files, "a.py": "7" * 40})
    assert len(merge([SMALL, edited]).earlier) == 1


def test_other_repositories_are_refused():
    with pytest.raises(RecordingError, match="different repositories"):
        merge([SMALL, other(roots=("9" * 40,))])
    with pytest.raises(RecordingError, match="nothing to merge"):
        merge([])


def test_outcomes_are_not_kept_for_ever():
    many = SMALL
    for moment in range(OUTCOMES_KEPT + 5):
        many = merge([many, other(recorded=10.0 + moment)])
    assert len(many.tests["a.py::test"].outcomes) == OUTCOMES_KEPT


def test_flakiness_asks_for_the_same_state():
    test = SMALL.tests["a.py::test"]
    told = [Outcome("passed", "x", 1.0), Outcome("failed", "y", 1.0), Outcome("passed", "y", 3.0)]
    found = replace(test, outcomes=tuple(told))
    assert found.flakiness == 1.0
    assert replace(test, outcomes=tuple(told[:2])).flakiness == 0.0
    assert (found.seconds, found.result) == (1.0, "passed")
