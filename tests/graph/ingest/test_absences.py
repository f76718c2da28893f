"""Who is away: every line is read or named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import InputError
from graph.ingest.absences import parse_absences

DAY = 86_400


def test_days_are_those_of_utc_and_both_ends_count():
    data = b'{"person": "ann@x.org", "from": "1970-01-02", "to": "1970-01-03", "why": "on leave"}\n\n'
    (absence,) = parse_absences(data)
    assert [absence.covers(at) for at in (DAY - 1, DAY, 3 * DAY - 1, 3 * DAY)] == [False, True, True, False]
    assert (absence.person, absence.why) == ("ann@x.org", "on leave")


def test_either_end_may_be_open():
    gone, later = parse_absences(b'{"person": "@ann"}\n{"person": "Bob", "from": "2100-01-01"}')
    assert gone.covers(0) and gone.covers(1e12)
    assert not later.covers(0) and later.covers(1e12)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"no", "Line 1"),
        (b"[]", "object"),
        (b"{}", "nobody"),
        (b'{"person": ""}', "nobody"),
        (b'{"person": "\\u001b"}', "nobody"),
        (b'{"person": 3}', "text"),
        (b'{"person": "a", "from": "soon"}', "Line 1"),
        (b'{"person": "a", "from": "2026-02-30"}', "Line 1"),
        (b'{"person": "a", "from": "2026-02-03", "to": "2026-02-01"}', "ends before"),
        (b'{"person": "a", "until": "2026-02-01"}', "until"),
        (b"\xff", "Line 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line, said):
    with pytest.raises(InputError, match=said) as caught:
        parse_absences(line, "away.jsonl")
    assert caught.value.hint and "away.jsonl" in caught.value.message


@given(st.binary(max_size=120))
def test_whatever_a_file_holds_it_is_read_or_refused(data):
    try:
        parse_absences(data)
    except InputError as error:
        assert error.hint
