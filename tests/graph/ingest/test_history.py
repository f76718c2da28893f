from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import RepositoryError
from graph.facts import Scope
from graph.ingest.cochange import mine_pairs, tail
from graph.ingest.history import read_history
from graph.ingest.people import Person, is_bot, read_credit
from graph.schema import EDGES, NODES, EdgeKind, NodeKind

SCOPE = Scope("t", "r")
ADA = "t/ada@example.com"


def edges(read, kind):
    found = [edge for edge in read.facts.edges if edge.kind == kind]
    for edge in found:
        assert {name for name, _ in edge.props} <= set(EDGES[kind].props)
        roles = {role.name: role for role in EDGES[kind].roles}
        for member in edge.members:
            assert member.kind in roles[member.role].kinds
            assert f"{member.kind} {member.key}" in read.facts.nodes
    for node in read.facts.nodes.values():
        assert {name for name, _ in node.props} <= set(NODES[node.kind].props)
    return found


def authored(read):
    """Commit to {role: set of what stands there, without the scope}."""
    found = {}
    for edge in edges(read, EdgeKind.AUTHORED):
        roles: dict[str, set[str]] = {}
        for member in edge.members:
            roles.setdefault(member.role, set()).add(member.key.removeprefix("t/r:"))
        (change,) = roles.pop("change")
        found[change.removeprefix("t/r@")] = roles
    return found


def node(read, kind, key):
    return dict(read.facts.nodes[f"{kind} {key}"].props)


def test_who_changed_what(sketch, mirrored):
    first = sketch.commit({"a.py": b"1", "b/c.py": b"2"}, "First\n\nbody")
    second = sketch.commit(
        {"a.py": b"3", "b/c.py": None},
        "Second\n\nCo-authored-by: Bob <Bob@Example.com>\nReviewed-by: Eve  <eve@example.com>\n",
    )
    read = read_history(mirrored(sketch), second, SCOPE)
    assert read.complete and read.read == read.total_hint == 2 and read.notes == ()
    assert read.replaces == {EdgeKind.AUTHORED, EdgeKind.RENAMED_FROM, EdgeKind.CO_CHANGED}
    assert authored(read) == {
        first: {"author": {ADA}, "file": {"a.py", "b/c.py"}},
        second: {
            "author": {ADA, "t/bob@example.com"},
            "reviewer": {"t/eve@example.com"},
            "file": {"a.py", "b/c.py"},
        },
    }
    assert node(read, NodeKind.CHANGE, SCOPE.change(first)) == {
        "at": 1_700_000_060,
        "bot": False,
        "commit": first,
        "merge": False,
        "subject": "First",
    }
    assert node(read, NodeKind.FILE, "t/r:b/c.py")["language"] == "python"


def test_what_a_files_name_does_not_tell_is_left_to_who_reads_it(sketch, mirrored):
    """Otherwise history would say of a script, in the store, that it is in no language."""
    first = sketch.commit({"bin/tool": b"#!/usr/bin/env python3\n", "a.py": b""}, "First")
    read = read_history(mirrored(sketch), first, SCOPE)
    assert "language" not in node(read, NodeKind.FILE, "t/r:bin/tool")


def test_people_through_the_mailmap(sketch, mirrored):
    sketch.commit({"a": b"1"}, author=("A. L.", "ada@old.example"))
    head = sketch.commit({".mailmap": b"Ada Lovelace <ada@example.com> <ada@old.example>\n"})
    read = read_history(mirrored(sketch), head, SCOPE)
    assert {who for roles in authored(read).values() for who in roles["author"]} == {ADA}
    # A changed .mailmap says everything anew, since old edges name other people.
    new = sketch.commit({".mailmap": None})
    read = read_history(mirrored(sketch), new, SCOPE, since=head)
    assert EdgeKind.AUTHORED in read.replaces
    assert len(authored(read)) == 3


def test_bots_are_marked(sketch, mirrored):
    head = sketch.commit(
        {"a": b"1"}, author=("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com")
    )
    read = read_history(mirrored(sketch), head, SCOPE)
    assert node(read, NodeKind.CHANGE, SCOPE.change(head))["bot"] is True
    owner = node(read, NodeKind.OWNER, "t/49699333+dependabot[bot]@users.noreply.github.com")
    assert owner == {"bot": True, "handle": "@dependabot[bot]", "name": "dependabot[bot]", "person": False}


@pytest.mark.parametrize(
    ("name", "email", "bot"),
    [
        ("github-actions", "x@y.z", True),
        ("renovate-bot", "x@y.z", True),
        ("pyup-bot", "github-bot@pyup.io", True),
        ("Jane Botha", "jane@botha.org", False),
        ("Robot Smith", "smith@snyk.io", False),
        ("Abbot", "abbot@example.com", False),
        ("X", "X@renovate.com", False),
    ],
)
def test_who_is_a_bot(name, email, bot):
    assert is_bot(Person(name, email)) is bot


def test_merges_are_marked_and_bring_no_files(sketch, mirrored):
    base = sketch.commit({"a": b"1"})
    side = sketch.commit({"b": b"1"}, ref="refs/heads/side", parents=[base])
    del sketch.files["b"]
    main = sketch.commit({"c": b"1"})
    merge = sketch.commit({"b": b"1"}, parents=[main, side])
    read = read_history(mirrored(sketch), merge, SCOPE)
    assert node(read, NodeKind.CHANGE, SCOPE.change(merge))["merge"] is True
    assert authored(read)[merge] == {"author": {ADA}}
    assert authored(read)[side]["file"] == {"b"}
    assert read.read == 4


def test_renames_are_followed(sketch, mirrored):
    body = b"".join(b"line %d\n" % n for n in range(40))
    sketch.commit({"one.py": body, "x.py": b"x"})
    for number in range(5):
        body += b"more %d\n" % number
        sketch.commit({"one.py": body, "x.py": body[:-5]})
    moved = sketch.commit({"one.py": None, "two.py": body})
    edited = sketch.commit({"two.py": None, "three.py": body + b"end\n"})
    for number in range(30):
        sketch.commit({f"other{number}": b"%d" % number})
    head = sketch.commit({"last": b""})
    read = read_history(mirrored(sketch), head, SCOPE)
    renames = {
        (e.members[0].key, e.members[1].key, dict(e.props)["commit"]): dict(e.props)["similarity"]
        for e in edges(read, EdgeKind.RENAMED_FROM)
    }
    assert renames == {
        ("t/r:two.py", "t/r:one.py", moved): 100,
        ("t/r:three.py", "t/r:two.py", edited): 98,
    }
    (pair,) = edges(read, EdgeKind.CO_CHANGED)
    assert [m.key for m in pair.members] == ["t/r:three.py", "t/r:x.py"]
    assert dict(pair.props) == {"confidence": 1.0, "count": 6}


def test_the_second_pass_tells_only_what_is_new(sketch, mirrored):
    for number in range(10):
        old = sketch.commit({"a": b"%d" % number})
    first = read_history(mirrored(sketch), old, SCOPE)
    nothing = read_history(mirrored(sketch), old, SCOPE, since=old)
    assert (nothing.read, nothing.complete, nothing.replaces) == (10, True, frozenset())
    assert list(nothing.facts) == []
    new = sketch.commit({"b": b"1"})
    read = read_history(mirrored(sketch), new, SCOPE, since=old)
    assert set(authored(read)) == {new}
    assert read.replaces == {EdgeKind.RENAMED_FROM, EdgeKind.CO_CHANGED}
    assert (read.read, read.complete) == (11, True)
    whole = read_history(mirrored(sketch), new, SCOPE)
    assert set(authored(whole)) == {new, *authored(first)}


def test_rewritten_history_is_told_anew(sketch, mirrored):
    base = sketch.commit({"a": b"1"})
    lost = sketch.commit({"a": b"2"})
    read_history(mirrored(sketch), lost, SCOPE)
    new = sketch.commit({"a": b"3"}, parents=[base])
    read = read_history(mirrored(sketch), new, SCOPE, since=lost)
    assert set(authored(read)) == {base, new}
    assert EdgeKind.AUTHORED in read.replaces
    assert set(authored(read_history(mirrored(sketch), new, SCOPE, since="0" * 40))) == {base, new}


def test_a_budget_reads_the_newest_and_says_so_and_a_later_pass_goes_on(sketch, mirrored):
    commits = [sketch.commit({"a": b"%d" % n}) for n in range(20)]
    mirror = mirrored(sketch)
    read = read_history(mirror, commits[-1], SCOPE, budget_commits=5)
    assert set(authored(read)) == set(commits[-5:])
    assert (read.complete, read.read, read.total_hint) == (False, 5, 20)
    assert "newest 5 of about 20" in read.notes[0]
    new = sketch.commit({"b": b""})
    mirror = mirrored(sketch)
    read = read_history(mirror, new, SCOPE, since=commits[-1])
    assert set(authored(read)) == {new} and not read.complete
    assert read_history(mirror, new, SCOPE).complete
    short = read_history(mirror, new, SCOPE, budget_seconds=0.0)
    assert short.complete, "what is known costs nothing"
    (mirror.directory / "history-2.msgpack").write_bytes(b"\xc1")
    short = read_history(mirror, new, SCOPE, budget_seconds=0.0)
    assert (short.read, short.complete) == (1, False)


def test_progress_is_told(sketch, mirrored):
    for number in range(3):
        head = sketch.commit({"a": b"%d" % number})
    told: list[tuple[int, int]] = []
    read_history(mirrored(sketch), head, SCOPE, progress=lambda _, done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


def test_a_shallow_history_ends_where_it_says(sketch, mirrored, tmp_path):
    sketch.commit({"a": b"1", "b": b"1"})
    middle = sketch.commit({"a": b"2"})
    head = sketch.commit({"a": b"3"})
    sketch.git("clone", "-q", "--depth=2", sketch.path.as_uri(), str(tmp_path / "shallow"))
    read = read_history(mirrored(tmp_path / "shallow"), head, SCOPE)
    assert authored(read) == {head: {"author": {ADA}, "file": {"a"}}, middle: {"author": {ADA}}}
    assert "shallow" in read.notes[0]
    # Once the rest is there, the boundary commit is read again.
    sketch.git("fetch", "-q", "--unshallow", cwd=tmp_path / "shallow")
    read = read_history(mirrored(tmp_path / "shallow"), head, SCOPE)
    assert authored(read)[middle]["file"] == {"a"}
    assert read.read == 3 and read.complete


def test_a_missing_commit_is_an_error(sketch, mirrored):
    lost = sketch.commit({"a": b"1"})
    head = sketch.commit({"a": b"2"})
    (sketch.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(RepositoryError, match="lacks object"):
        read_history(mirrored(sketch), head, SCOPE)


def test_commits_that_are_too_large_name_no_files(sketch, mirrored):
    head = sketch.commit({f"f{n}": b"" for n in range(1001)})
    read = read_history(mirrored(sketch), head, SCOPE)
    assert authored(read) == {head: {"author": {ADA}}}
    assert "more than 1,000 of them: 1 here" in read.notes[0]


def test_odd_commits_are_read(sketch, mirrored):
    odd = sketch.commit({"a": b"1"}, "", author=("\udcff\x07 <", ""))
    latin = sketch.commit({"a": b"2"}, "caf\udce9\nReviewed-by: x <>\nCo-authored-by: broken")
    read = read_history(mirrored(sketch), latin, SCOPE)
    assert {odd, latin} <= set(authored(read))
    for each in read.facts.nodes.values():
        repr(each).encode("utf-8")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_commit_text_is_read(header, message):
    credit = read_credit(b"author " + header + b"\nauthor A <a@b.c> 1 +0000", message)
    text = credit.subject + "".join(p.name + p.email for p in (*credit.authors, *credit.reviewers))
    assert text.encode("utf-8") is not None and "\n" not in text


def test_hostile_text_takes_no_time():
    message = b"Reviewed-by:" + b" " * 1_000_000
    read_credit(b"author " + b"1" * 1_000_000 + b"\ncommitter <" + b"<" * 100_000, message)


@given(st.integers(1, 25), st.data())
def test_the_tail_is_fishers(total, data):
    a, b = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    count = data.draw(st.integers(0, min(a, b)))
    exact = sum(comb(a, k) * comb(total - a, b - k) for k in range(count, min(a, b) + 1)) / comb(total, b)
    assert tail(count, a, b, total) == pytest.approx(exact, abs=1e-9)


def test_pairs_are_what_they_are_said_to_be():
    together = [["a", "b"]] * 8
    alone = [[f"x{n}"] for n in range(60)]
    chance = [["c", f"y{n % 2}"] for n in range(12)]
    wide = [[f"w{n}" for n in range(31)]] * 5
    pairs = mine_pairs([*together, ["a"], *alone, *chance, *wide, []])
    assert tuple(pairs[0]) == ("a", "b", 8, 1.0)
    assert not any(p.one.startswith("w") for p in pairs)
    assert mine_pairs([]) == []
    # Files that are in every commit go with everything by chance alone.
    assert mine_pairs([["log", "a"]] * 10) == []
