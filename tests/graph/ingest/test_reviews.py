"""Who reviewed: exports line by line, merges by their words, and what the history makes of both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import InputError
from graph.facts import Scope
from graph.ingest.history import read_history
from graph.ingest.people import Person, read_credit
from graph.ingest.reviews import (
    Reviews,
    brings_in,
    keep_reviews,
    kept_reviews,
    parse_export,
    parse_person,
)
from graph.schema import EdgeKind

SCOPE = Scope("t", "r")
ID = "5dc781f5dc" + "0" * 30


def reviewed(read):
    """Commit to (reviewers, how) where anybody did."""
    found = {}
    for edge in read.facts.edges:
        who = {m.key.removeprefix("t/") for m in edge.members if m.role == "reviewer"}
        if edge.kind is EdgeKind.AUTHORED and who:
            found[edge.members[0].key.removeprefix("t/r@")] = (who, dict(edge.props)["how"])
    return found


def test_an_export_names_reviewers_by_commit_and_what_waits():
    lines = [
        {"commits": [ID, "1234567"], "reviewers": ["Ann Lee <ann@example.org>", "@bob", "ci[bot] <b@x>"]},
        {"commit": ID, "reviewers": ["cleo@example.org", "Ann Lee <ann@example.org>"], "number": 7},
        {"state": "open", "reviewers": ["@bob"], "author": "ann@example.org", "title": "Later"},
        {"state": "open", "reviewers": []},
    ]
    data = b"\xef\xbb\xbf" + "\r\n\n".join(json.dumps(line) for line in lines).encode() + b"\n"
    found = parse_export(data)
    ann, bob = Person("Ann Lee", "ann@example.org"), Person("", "@bob")
    assert found.of(ID) == (ann, bob, Person("", "cleo@example.org"))
    assert found.of("1234567" + "a" * 33) == (ann, bob)
    assert found.of("f" * 40) == ()
    assert [(each.title, each.reviewers) for each in found.waiting] == [("Later", (bob,)), ("", ())]
    assert found.waiting[0].author == Person("", "ann@example.org")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nonsense", "Line 2"),
        (b"[]", "object"),
        (b'{"commits": ["5dc781f5dc"]}', "reviewers"),
        (b'{"reviewers": ["a@b"]}', "commits"),
        (b'{"commits": [], "reviewers": []}', "commits"),
        (b'{"commits": ["xyz"], "reviewers": []}', "no commit id"),
        (b'{"commits": [12345678], "reviewers": []}', "no commit id"),
        (b'{"commit": "5DC781F5DC", "reviewers": []}', "no commit id"),
        (b'{"commit": "5dc781f5dc", "reviewers": "ann"}', "list of people"),
        (b'{"commit": "5dc781f5dc", "reviewers": [null]}', "list of people"),
        (b'{"commit": "5dc781f5dc", "reviewers": ["ann"]}', "is nobody"),
        (b'{"commit": "5dc781f5dc", "reviewers": ["Ann <>"]}', "is nobody"),
        (b'{"commit": "5dc781f5dc", "reviewers": ["\\u001b[2J <a@b>"]}', "control"),
        (b'{"state": "open", "author": "x", "reviewers": []}', "is nobody"),
        (b"\xff\xff", "Line 2"),
        (b"[" * 100_000, "Line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line, said):
    with pytest.raises(InputError) as caught:
        parse_export(b'{"commit": "5dc781f5dc", "reviewers": []}\n' + line, "reviews.jsonl")
    assert "reviews.jsonl" in caught.value.message and said in caught.value.message
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(data):
    try:
        assert isinstance(parse_export(data), Reviews)
    except InputError as error:
        assert error.hint


@given(st.text(max_size=60))
def test_a_person_is_read_or_refused(text):
    try:
        person = parse_person(text)
    except ValueError:
        return
    assert person.email and (person.name + person.email).isprintable()


def test_what_is_kept_comes_back_and_damage_counts_as_nothing(tmp_path):
    assert kept_reviews(tmp_path) == (Reviews(), b"")
    reviews = parse_export(b'{"commit": "5dc781f5dc", "reviewers": ["a@b.c"]}')
    keep_reviews(tmp_path, reviews)
    assert kept_reviews(tmp_path)[0] == reviews
    (tmp_path / "reviews-1.msgpack").write_bytes(b"\xc1")
    assert kept_reviews(tmp_path) == (Reviews(), b"")


@pytest.mark.parametrize(
    ("subject", "does"),
    [
        ("Merge pull request #12 from ann/fix", True),
        ("Merged in fix (pull request #3)", True),
        ("Merge branch 'fix' into 'main'", True),
        ("Merge branch 'fix' into develop", True),
        ("Merge branch 'fix'", True),
        ("Merge topic 'fix'", True),
        ("Merge tag 'v2' of git://example.org/x", True),
        ("Merge remote-tracking branch 'origin/fix'", True),
        ("Merge branch 'main' of example.org:x/y", False),
        ("Merge branch 'fix' of example.org:x/y", False),
        ("Merge branch 'main' into fix", False),
        ("Merge branch 'master'", False),
        ("Merge remote-tracking branch 'origin/main'", False),
        ("Merge remote-tracking branch 'origin/main' into fix", False),
        ("Together", False),
        ("", False),
    ],
)
def test_which_merges_bring_a_change_in(subject, does):
    assert brings_in(subject) is does


def test_trailers_of_several_kinds_name_reviewers():
    message = b"Fix\n\nReviewed-by: A <a@x>\nAcked-by: B <b@x>\napproved-by: C <c@x>\nTested-by: D <d@x>\n"
    assert [person.email for person in read_credit(b"", message).reviewers] == ["a@x", "b@x", "c@x"]


def test_who_merged_a_change_reviewed_it_and_who_merged_their_own_did_not(sketch, mirrored):
    base = sketch.commit({"a": b"1"})
    fix = sketch.commit({"b": b"1"}, ref=None, parents=[base], author=("Bob", "bob@x.org"))
    merge = sketch.commit(
        {}, "Merge pull request #1 from bob/b", parents=[base, fix], author=("Cleo", "cleo@x.org")
    )
    own = sketch.commit({"c": b"1"}, ref=None, parents=[merge], author=("Cleo", "cleo@x.org"))
    second = sketch.commit({}, "Merge branch 'c'", parents=[merge, own], author=("Cleo", "CLEO@x.org"))
    main = sketch.commit({"d": b"1"}, author=("Dan", "dan@x.org"))
    pull = sketch.commit({"e": b"1"}, ref=None, parents=[second], author=("Eve", "eve@x.org"))
    head = sketch.commit(
        {}, "Merge branch 'main' of example.org:x", parents=[pull, main], author=("Eve", "eve@x.org")
    )
    assert reviewed(read_history(mirrored(sketch), head, SCOPE)) == {fix: ({"cleo@x.org"}, "merge")}


def test_a_trailer_says_more_than_a_merge(sketch, mirrored):
    base = sketch.commit({"a": b"1"})
    fix = sketch.commit(
        {"b": b"1"}, "Fix\n\nReviewed-by: Ann <ann@x.org>", ref=None, parents=[base], author=("B", "b@x")
    )
    head = sketch.commit({}, "Merge pull request #1 from b/b", parents=[base, fix], author=("C", "c@x"))
    assert reviewed(read_history(mirrored(sketch), head, SCOPE)) == {fix: ({"ann@x.org"}, "trailer")}


def test_a_new_export_says_the_history_anew(sketch, mirrored):
    first = sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    assert reviewed(read_history(mirror, first, SCOPE)) == {}
    keep_reviews(mirror.directory, Reviews({first[:9]: (Person("Ann", "ann@x.org"),)}))
    again = read_history(mirror, first, SCOPE, since=first)
    assert reviewed(again) == {first: ({"ann@x.org"}, "export")}
    assert EdgeKind.AUTHORED in again.replaces
    assert not read_history(mirror, first, SCOPE, since=first).facts.edges, "nothing is new the next time"
