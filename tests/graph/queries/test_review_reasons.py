"""Contributions from the arrays of a real history, and the reasons, standing and risks they give."""

from __future__ import annotations

import pytest

from graph.facts import Scope
from graph.incidence import Incidence
from graph.ingest.history import read_history
from graph.queries.contributions import Contribution, Contributions, Contributor, read_contributions
from graph.queries.expertise import Known
from graph.queries.nodes import NodeView
from graph.queries.reviewers import (
    DAY,
    Kind,
    Reasons,
    Sight,
    read_obligations,
    read_risks,
    read_standing,
    weigh_expertise,
)
from graph.schema import NodeKind, Sort

SCOPE = Scope("t", "r")
ANN, BOB, CLEO, BOT = range(4)
PEOPLE = tuple(
    Contributor(f"t/{name}@x", name, handle, name == "bot")
    for name, handle in (("Ann", ""), ("Bob", "@bob"), ("Cleo", ""), ("bot", ""))
)


def commit(
    number: int, author: int, reviewers: tuple[int, ...] = (), *files: str, day: int = 0
) -> Contribution:
    day = day or number
    return Contribution(
        f"{number:040x}", day * DAY, f"c{number}", (author,), reviewers, "trailer", files, files, {}
    )


def sight(commits, files, at=1_000, authors=(ANN,), own=()):
    made = Contributions(PEOPLE, tuple(commits))
    seen = sum(1 for each in commits if each.at <= at * DAY)
    return Sight(
        made,
        at * DAY,
        at * DAY,
        tuple(files),
        author=next(iter(authors), -1),
        authors=frozenset(authors),
        visible=range(seen),
        own=frozenset(own),
    )


def known(distance: int, *places: int) -> Known:
    view = NodeView(NodeKind.SYMBOL, Sort.FUNCTION, "t/r:a.py::f", "a.py::f", "f", "a.py", 1)
    return Known(view, distance, (), places)


def test_files_go_by_their_present_names_and_people_by_the_mailmap(sketch_of_history):
    found, commits = sketch_of_history
    one, moved, last = (found.commits[found.by_id[each]] for each in commits)
    assert (one.then, one.files) == (("old.py",), ("new.py",))
    assert moved.files == ("new.py",) and moved.before == {"new.py": "old.py"}
    assert last.how == "trailer"
    assert [place for place in found.by_file["new.py"]] == [0, 1, 2]
    assert found.now["old.py"] == "new.py"
    ada = found.places["t/ada@example.com"]
    assert (
        found.called("ada") == found.called("ADA@example.com") == found.called("x <ada@example.com>") == [ada]
    )
    assert found.called("nobody") == [] and one.authors == (ada,)
    assert found.people[last.reviewers[0]].key == "t/eve@x.org", (
        "an author who reviews themselves does not count"
    )
    assert len(last.reviewers) == 1


@pytest.fixture
def sketch_of_history(tmp_path):
    # The clones of tests/graph/ingest are made by a class of theirs; here the real git makes one.
    import subprocess

    from graph.ingest.git import Mirror

    def git(*words, data=b""):
        return subprocess.run(
            ["git", *words], cwd=tmp_path / "c", input=data, capture_output=True, check=True
        ).stdout

    (tmp_path / "c").mkdir()
    git("init", "-q", "-b", "main")
    body = "".join(f"line {n}\n" for n in range(30))
    stream = ""
    for number, (files, message) in enumerate(
        (
            (f"M 100644 inline old.py\ndata {len(body)}\n{body}", "One"),
            (f"D old.py\nM 100644 inline new.py\ndata {len(body)}\n{body}", "Move"),
            (
                "M 100644 inline new.py\ndata 2\nx\n",
                "Last\n\nReviewed-by: Ada <ada@example.com>\nAcked-by: E <eve@x.org>\n",
            ),
        )
    ):
        who = f"Ada <ada@example.com> {1_700_000_000 + number} +0000"
        stream += f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n"
        stream += f"data {len(message)}\n{message}\n{files}\n"
    git("fast-import", "--quiet", data=stream.encode())
    commits = git("rev-list", "--reverse", "main").decode().split()
    mirror = Mirror.refresh(tmp_path / "c", tmp_path / "mirror.git")
    read = read_history(mirror, commits[-1], SCOPE)
    arrays = Incidence.build(read.facts, scope=SCOPE, head=1, commit=commits[-1], tree="")
    return read_contributions(arrays), commits


def test_reasons_are_counted_and_the_newest_is_shown():
    commits = [commit(n, ANN, (BOB,), "a/f.py") for n in range(1, 4)] + [commit(4, CLEO, (ANN,), "a/g.py")]
    found = {
        who: {reason.kind: reason for reason in Reasons(sight(commits, ["a/f.py"], 10), ()).of(who)}
        for who in (BOB, CLEO)
    }
    pair = found[BOB][Kind.REVIEWED_AUTHOR]
    assert (pair.commits, pair.newest, pair.to) == (3, 2, ANN)
    assert found[BOB][Kind.REVIEWED_FILE].on == "a/f.py" and Kind.REVIEWED_FOLDER not in found[BOB]
    assert found[CLEO][Kind.WROTE_FOLDER].on == "a" and found[CLEO][Kind.RETURNED].to == ANN


def test_what_came_later_and_the_change_itself_give_no_reason():
    commits = [
        commit(1, ANN, (BOB,), "f.py"),
        commit(2, ANN, (CLEO,), "f.py"),
        commit(50, ANN, (CLEO,), "f.py"),
    ]
    reasons = Reasons(sight(commits, ["f.py"], 10, own=[commits[1].commit]), ())
    assert reasons.of(BOB) and not reasons.of(CLEO)


def test_a_few_reasons_show_each_sort_before_more_of_one():
    commits = [commit(n, ANN, (BOB,), f"a/f{n}.py") for n in range(1, 9)]
    shown = Reasons(sight(commits, [f"a/f{n}.py" for n in range(1, 9)], 10), ()).of(BOB, 4)
    assert [reason.kind for reason in shown][:2] == [Kind.REVIEWED_AUTHOR, Kind.REVIEWED_FILE]
    assert Kind.ACTIVE in {reason.kind for reason in shown} and len(shown) == 4


def test_expertise_is_shared_by_those_who_changed_the_cone_the_nearer_and_newer_the_more():
    commits = [commit(1, BOB, (), "f.py", day=999), commit(2, CLEO, (BOT,), "g.py", day=999)]
    near = weigh_expertise(sight(commits, ["f.py"]), [known(0, 0), known(1, 1)])
    assert near == pytest.approx({BOB: 2 / 3, CLEO: 1 / 3})
    assert weigh_expertise(sight(commits, ["f.py"], authors=(BOB, CLEO)), [known(0, 0)]) == {}
    assert weigh_expertise(sight(commits, ["f.py"]), []) == {}


def test_standing_counts_reviews_of_late():
    commits = [commit(1, BOB, (CLEO,), "f.py"), commit(2, ANN, (CLEO,), "f.py", day=990)]
    standing = read_standing(sight(commits, ["f.py"]))
    assert standing[CLEO] == (1, 990 * DAY) and standing[BOB] == (0, DAY)


def test_a_file_is_at_risk_where_one_person_alone_knows_it():
    commits = [
        commit(1, ANN, (), "own.py", day=900),
        commit(2, BOB, (CLEO,), "two.py", day=900),
        commit(3, BOB, (BOT,), "bobs.py", day=900),
        commit(4, BOB, (CLEO,), "old.py", day=10),
    ]
    risks = read_risks(sight(commits, ["own.py", "two.py", "bobs.py", "old.py", "new.py"], authors=()))
    assert risks == {"own.py": {ANN}, "bobs.py": {BOB}, "old.py": set()}
    assert "own.py" in read_risks(sight(commits, ["own.py"])), "its author alone knows it still"
    assert read_risks(sight(commits, ["bobs.py"])) == {}, "the author makes two"


def test_obligations_are_those_of_the_tree_and_a_rule_without_owners_demands_nothing(tmp_path):
    import subprocess

    from graph.ingest.git import Mirror

    root = tmp_path / "c"
    root.mkdir()
    rules = "* @all\n/docs/\n[broken\n/a.py @ann bob@x.org\n"
    data = "".join(
        f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"
        for path, text in (("CODEOWNERS", rules), ("a.py", ""), ("b.py", ""), ("docs/x.md", ""))
    )
    for words, given in ((["init", "-q", "-b", "main"], b""), (["fast-import", "--quiet"], None)):
        stream = f"commit refs/heads/main\ncommitter A <a@x> 1 +0000\ndata 0\n{data}".encode()
        subprocess.run(["git", *words], cwd=root, input=stream if given is None else given, check=True)
    mirror = Mirror.refresh(root, tmp_path / "m.git")
    tree = mirror.head().tree
    found = read_obligations(mirror, tree, ["a.py", "b.py", "docs/x.md"])
    assert [(each.line, each.owners, each.files) for each in found] == [
        (1, ("@all",), ("b.py",)),
        (4, ("@ann", "bob@x.org"), ("a.py",)),
    ]
