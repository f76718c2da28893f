"""Recordings taken in, and the tests that a change can alter: commands and GraphQL on a real store."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree

import pytest
import recordings_made as made
from applications import create
from maestro_selection.recording import VERSION, Distribution
from starlette.testclient import TestClient

SUM, IDLE = "tests/test_cart.py::test_sum", "tests/test_cart.py::test_idle"
TAX_DIFF = """--- a/shop/prices.py
+++ b/shop/prices.py
@@ -6,1 +6,1 @@
-    return amount * RATE
+    return amount * RATE + 0
"""
IDLE_DIFF = """--- a/shop/cart.py
+++ b/shop/cart.py
@@ -10,1 +10,1 @@
-    return 1
+    return 2
"""
QUERY = """
query($repository: String! = "", $range: String, $diff: String, $rev: String! = "HEAD",
      $static: Boolean! = false, $mode: SelectionMode! = SAFE, $seconds: Float! = 0) {
  testSelection(repository: $repository, range: $range, diff: $diff, rev: $rev, static: $static, mode: $mode,
                seconds: $seconds) {
    head { commit } selected { test seconds new reasons } skipped widened notes basis
    recordings { commit distance tests differing }
  }
  impact(range: "HEAD") { changed { node { name } } }
}
"""


def files_of(clone):
    listed = clone.git("ls-files").split()
    return {path: (clone.root / path).read_text() for path in listed}


def recorded(clone, **more):
    """What both tests of the shop did at the commit that is checked out."""
    tests = (
        made.ran(
            SUM, {"tests/test_cart.py": [5], "shop/cart.py": [6], "shop/prices.py": [6, 10]}, seconds=2.0
        ),
        made.ran(IDLE, {"tests/test_cart.py": [9], "shop/cart.py": [10]}, ["README.md"]),
    )
    commit = clone.git("rev-parse", "HEAD").strip()
    roots = clone.git("rev-list", "--max-parents=0", "HEAD").split()
    return made.at(made.recording(files_of(clone), tests, commit=commit, roots=roots), **more)


def write(place, recording):
    place.write_bytes(made.data(recording))
    return str(place)


@pytest.fixture
def told(maestro, clone, tmp_path):
    """A store that holds the shop with a recording of it."""
    taken = maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", recorded(clone)))
    assert taken["recordings"]["tests"] == 2
    return maestro


@pytest.fixture(scope="session")
def settled(service_environment, shop, indexed, tmp_path_factory):
    """The same, for tests that only ask."""
    root = tmp_path_factory.mktemp("settled")
    clone = type(shop)(root / "shop")
    paths = shop.git("ls-tree", "-r", "--name-only", "first").split()
    clone.commit("A shop", {path: shop.git("show", f"first:{path}") for path in paths})
    own = {"MAESTRO_TENANT": f"settled{os.getpid()}", "MAESTRO_ENGINE": "off"}
    maestro = type(indexed)({**service_environment, **own})
    maestro.json("index", str(clone.root), "--recording", write(root / "r", recorded(clone)))
    return maestro


def selected(found):
    return [each["test"] for each in found["selected"]]


def test_an_edit_selects_who_executed_it_and_says_why(settled):
    found = settled.json("tests", "--diff", "-", input=TAX_DIFF)
    assert selected(found) == [SUM] and found["skipped"] == [IDLE]
    assert found["selected"][0]["seconds"] == 2.0
    assert "shop/prices.py:6" in found["selected"][0]["reasons"][0][0]
    assert found["recordings"][0]["differing"] == ["shop/prices.py"]
    assert found["recordings"][0]["distance"] == "of this very commit"
    assert selected(settled.json("tests", "--diff", "-", input=IDLE_DIFF)) == [IDLE]


def test_runtime_facts_are_stored_counted_and_outlive_another_index_run(told, clone):
    status = told.json("status")["repositories"][0]
    assert status["families"]["runtime"] > 0 and status["recordings"][0]["tests"] == 2
    assert told.json("doctor")["well"]
    clone.commit("Say more", {"README.md": "# Again\n"})
    assert told.json("index", str(clone.root))["recordings"] is None
    after = told.json("status")["repositories"][0]
    assert after["families"]["runtime"] == status["families"]["runtime"]
    assert after["recordings"][0]["distance"] == "1 commit behind"
    assert told.json("doctor")["well"]
    # The commits since the recording are part of the change: what opened the file is selected.
    assert selected(told.json("tests", "HEAD..HEAD")) == [IDLE]


def test_taking_the_same_recording_in_again_writes_nothing(told, clone, tmp_path):
    again = told.json("index", str(clone.root), "--recording", write(tmp_path / "again", recorded(clone)))
    assert (again["recordings"]["created"], again["recordings"]["kept"]) == (0, 1)


def test_shards_merge_and_newer_evidence_stands_for_older(maestro, clone, tmp_path):
    whole = recorded(clone)
    shards = [
        made.at(whole, tests={node: whole.tests[node]}, recorded=float(n))
        for n, node in enumerate(whole.tests)
    ]
    places = [write(tmp_path / f"s{n}", shard) for n, shard in enumerate(shards)]
    taken = maestro.json("index", str(clone.root), "--recording", places[0], "--recording", places[1])
    assert taken["recordings"]["tests"] == 2 and taken["recordings"]["kept"] == 2
    assert selected(maestro.json("tests", "--diff", "-", input=TAX_DIFF)) == [SUM]
    # The idle test comes to call for prices: its newest recording counts, the other one's older does for it.
    cart = files_of(clone)["shop/cart.py"].replace("    return 1\n", "    return total(0) + 1\n")
    clone.commit("Less idle", {"shop/cart.py": cart})
    newer = made.recording(
        files_of(clone),
        [made.ran(IDLE, {"tests/test_cart.py": [9], "shop/cart.py": [10], "shop/prices.py": [6, 10]})],
        commit=clone.git("rev-parse", "HEAD").strip(),
        roots=whole.roots,
        recorded=9.0,
    )
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "n", newer))
    found = maestro.json("tests", "--diff", "-", input=TAX_DIFF)
    assert sorted(selected(found)) == [IDLE, SUM]
    assert [state["tests"] for state in found["recordings"]] == [1, 1]


def test_shards_that_disagree_are_both_believed(maestro, clone, tmp_path):
    whole = recorded(clone)
    other = made.at(
        whole, tests={SUM: made.ran(SUM, {"tests/test_cart.py": [5], "shop/cart.py": [10]})}, recorded=2.0
    )
    places = [write(tmp_path / "a", whole), write(tmp_path / "b", other)]
    maestro.json("index", str(clone.root), "--recording", places[0], "--recording", places[1])
    assert SUM in selected(maestro.json("tests", "--diff", "-", input=TAX_DIFF))
    assert sorted(selected(maestro.json("tests", "--diff", "-", input=IDLE_DIFF))) == [IDLE, SUM]


def test_a_recording_of_another_repository_is_refused_by_name(maestro, clone, tmp_path):
    foreign = made.at(recorded(clone), commit="1" * 40, roots=("2" * 40,), files={"x.py": "3" * 40})
    done = maestro("index", str(clone.root), "--recording", write(tmp_path / "theirs", foreign))
    assert done.exit_code == 7
    assert "theirs" in done.stderr and "another repository" in done.stderr and "1" * 12 in done.stderr
    assert maestro.json("status")["repositories"] == []  # nothing was indexed on the way


def test_a_recording_of_a_commit_that_is_not_here_is_taken_and_widens(maestro, clone, tmp_path):
    unknown = made.at(recorded(clone), commit="1" * 40)
    taken = maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", unknown))
    assert taken["recordings"]["recordings"][0]["distance"] == "of a commit that is not in this clone"
    assert selected(maestro.json("tests", "--diff", "-", input=TAX_DIFF)) == [SUM]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x1f\x8b\x08nonsense", "cut", "newer"])
def test_a_damaged_or_newer_recording_is_refused_and_nothing_is_taken_in(maestro, clone, tmp_path, damage):
    whole = made.data(recorded(clone))
    if damage == "cut":
        damage = whole[: len(whole) // 2]
    elif damage == "newer":
        import gzip

        held = f'"version":{VERSION}'.encode()
        damage = gzip.compress(gzip.decompress(whole).replace(held, b'"version":99', 1))
    (tmp_path / "broken").write_bytes(damage)
    done = maestro("index", str(clone.root), "--recording", str(tmp_path / "broken"))
    assert done.exit_code == 7 and "broken" in done.stderr
    assert maestro.json("status")["repositories"] == []


def test_a_recording_that_is_not_there_is_an_error_in_words(maestro, clone):
    done = maestro("index", str(clone.root), "--recording", "/nowhere/recording")
    assert done.exit_code == 7 and "/nowhere/recording" in done.stderr


def test_without_a_recording_the_way_to_one_is_shown(indexed):
    done = indexed("tests", "HEAD", "--repo", "shop")
    assert done.exit_code == 3 and "--maestro-record" in done.stderr and "--static" in done.stderr


def test_new_and_edited_tests_run_and_deleted_ones_are_not_named(told, clone):
    text = files_of(clone)["tests/test_cart.py"]
    clone.commit(
        "Test more",
        {"tests/test_cart.py": text.replace("== 8", "== 8.0") + "\n\ndef test_new():\n    pass\n"},
    )
    found = told.json("tests", "HEAD")
    assert sorted(selected(found)) == ["tests/test_cart.py::test_new", SUM]
    assert [each["new"] for each in found["selected"] if each["test"].endswith("new")] == [True]
    clone.git("rm", "-q", "tests/test_cart.py")
    clone.commit("Test less", {})
    found = told.json("tests", "HEAD")
    assert selected(found) == [] and found["skipped"] == []
    assert any("tests/test_cart.py is not there" in note for note in found["notes"])


def test_renamed_tests_and_other_parameters_are_new(maestro, clone, tmp_path):
    whole = recorded(clone)
    cases = {
        f"{SUM}[{n}]": made.ran(f"{SUM}[{n}]", {"tests/test_cart.py": [5], "shop/prices.py": [6]})
        for n in (1, 2)
    }
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", made.at(whole, tests=cases)))
    assert selected(maestro.json("tests", "--diff", "-", input=TAX_DIFF)) == [f"{SUM}[1]", f"{SUM}[2]"]
    text = files_of(clone)["tests/test_cart.py"]
    clone.commit("Rename", {"tests/test_cart.py": text.replace("test_sum", "test_total")})
    assert "tests/test_cart.py::test_total" in selected(maestro.json("tests", "HEAD"))


def test_a_test_that_failed_when_it_was_recorded_runs(maestro, clone, tmp_path):
    whole = recorded(clone)
    failed = made.at(whole, tests={IDLE: made.ran(IDLE, {"shop/cart.py": [10]}, result="failed")})
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", failed))
    found = maestro.json("tests", "--diff", "-", input=TAX_DIFF)
    assert selected(found) == [IDLE] and "failed" in found["selected"][0]["reasons"][0][0]


def test_binary_and_generated_files_select_who_opened_them(settled):
    binary = "diff --git a/{0} b/{0}\n{1}index {2}..89abcde 100644\nBinary files {3} and b/{0} differ\n"
    changed = binary.format("README.md", "", "1234567", "a/README.md")
    assert selected(settled.json("tests", "--diff", "-", input=changed)) == [IDLE]
    added = binary.format("logo.png", "new file mode 100644\n", "0000000", "/dev/null")
    assert selected(settled.json("tests", "--diff", "-", input=added)) == []


def test_a_lock_selects_by_what_it_moves_and_a_broken_manifest_all(maestro, clone, tmp_path):
    clone.commit("Lock", {"requirements.txt": "mypy==1.0\n", "pyproject.toml": "[tool.ruff]\n"})
    held = {"mypy": Distribution("1.0", ("mypy",))}
    whole = recorded(clone, distributions=held, modules=frozenset(["shop"]))
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", whole))
    clone.commit("Move", {"requirements.txt": "mypy==1.1\n", "pyproject.toml": "[tool.ruff]\nx = 1\n"})
    found = maestro.json("tests", "HEAD")
    assert selected(found) == []
    assert any("nothing imports it" in note for note in found["notes"])
    clone.commit("Break", {"pyproject.toml": "[tool.ruff\n"})
    found = maestro.json("tests", "HEAD")
    assert sorted(selected(found)) == [IDLE, SUM]
    assert any("it is no TOML" in sentence for sentence in found["widened"])


def test_a_merge_counts_against_its_first_parent(told, clone):
    clone.git("checkout", "-q", "-b", "side")
    clone.commit(
        "Less idle",
        {"shop/cart.py": files_of(clone)["shop/cart.py"].replace("    return 1\n", "    return 1 + 0\n")},
    )
    clone.git("checkout", "-q", "main")
    clone.commit("Say more", {"CODEOWNERS": "* @everyone\n"})
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    assert selected(told.json("tests", "HEAD")) == [IDLE]


def test_static_selection_needs_no_recording(indexed):
    found = indexed.json("tests", "first..second", "--static", "--repo", "shop")
    assert selected(found) == [SUM] and found["skipped"] == [IDLE] and found["basis"] == "static"
    steps = found["selected"][0]["reasons"][0]
    assert steps[0] == "shop/prices.py::tax (body)" and steps[-1].startswith(
        "run by tests/test_cart.py::test_sum"
    )


def test_lists_for_programs_and_answers_for_people(settled):
    listed = settled("tests", "--diff", "-", "--format", "pytest-args", input=TAX_DIFF)
    assert listed.stdout == f"{SUM}\n"
    root = ElementTree.fromstring(
        settled("tests", "--diff", "-", "--format", "junit", input=TAX_DIFF).stdout.encode()
    )
    assert [case.attrib["name"] for case in root] == ["test_sum"]
    shown = settled("tests", "--diff", "-", input=TAX_DIFF).stdout
    assert "1 test of 2" in shown and "test_sum" in shown and "shop/prices.py:6" in shown
    why = settled("tests", "--diff", "-", "--explain", SUM, input=TAX_DIFF).stdout
    assert why.startswith("run") and "shop/prices.py:6" in why
    assert settled("tests", "--diff", "-", "--explain", IDLE, input=TAX_DIFF).stdout.startswith("skip")
    assert settled("tests", "--diff", "-", "--explain", "test_none", input=TAX_DIFF).exit_code == 3


@pytest.mark.parametrize(
    "options",
    [
        ("--mode", "budget"),
        ("--seconds", "5"),
        ("--static", "--mode", "minimal"),
        ("--json", "--format", "junit"),
        ("--mode", "budget", "--seconds", "nan"),
        ("--mode", "budget", "--seconds=-1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(settled, options):
    assert settled("tests", "HEAD", *options).exit_code == 2


def test_prune_takes_away_recordings_that_newer_ones_stand_for(told, clone, tmp_path):
    for number in range(2, 6):
        told.json(
            "index",
            str(clone.root),
            "--recording",
            write(tmp_path / "r", recorded(clone, recorded=float(number))),
        )
    assert len(told.json("status")["repositories"][0]["recordings"]) == 5
    told.json("prune")
    assert len(told.json("status")["repositories"][0]["recordings"]) == 3
    assert selected(told.json("tests", "--diff", "-", input=TAX_DIFF)) == [SUM]


def test_a_recording_damaged_on_disk_is_told_and_never_trusted(told, clone):
    place = next(told.settings.data.rglob(f"{told.settings.tenant}/shop/recordings/*.recording"))
    whole = place.read_bytes()
    place.write_bytes(whole[:-9])
    clone.commit("More", {"README.md": "x"})
    done = told("tests", "HEAD")
    assert done.exit_code in (0, 30)  # what was read before is still in memory; else it is refused
    health = (
        told.json("doctor") if told("doctor").exit_code == 0 else json.loads(told("doctor", "--json").stdout)
    )
    assert any(check["outcome"] == "wrong" and "damaged" in check["detail"] for check in health["checks"])
    place.write_bytes(whole)  # other tests save and examine all that is in the data directory


def test_one_query_answers_a_pull_request(settled):
    with TestClient(create(settled.settings), base_url="http://localhost") as web:
        ask = lambda **variables: web.post("/graphql", json={"query": QUERY, "variables": variables}).json()  # noqa: E731
        found = ask(diff=TAX_DIFF)["data"]
        assert selected(found["testSelection"]) == [SUM] and found["testSelection"]["skipped"] == [IDLE]
        assert found["impact"]["changed"]
        assert selected(ask(diff="")["data"]["testSelection"]) == []
        assert selected(ask(diff=TAX_DIFF, static=True)["data"]["testSelection"]) == [SUM]
        for wrong in (
            {},
            {"diff": TAX_DIFF, "range": "HEAD"},
            {"diff": "x", "rev": "HEAD"},
            {"range": "nowhere"},
            {"diff": TAX_DIFF, "mode": "BUDGET"},
            {"diff": TAX_DIFF, "repository": "unknown"},
        ):
            assert ask(**wrong)["errors"][0]["extensions"]["code"] in ("BAD_INPUT", "DIFF", "NOT_FOUND")


def test_fewer_tests_say_what_they_leave_out(maestro, clone, tmp_path):
    lines = {"tests/test_cart.py": [5], "shop/prices.py": [6]}
    ran = [made.ran(f"{SUM}[{n}]", lines, seconds=float(n)) for n in (1, 2, 3)]
    whole = made.at(recorded(clone), tests={test.node: test for test in ran})
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "r", whole))
    fewest = maestro.json("tests", "--diff", "-", "--mode", "minimal", input=TAX_DIFF)
    assert selected(fewest) == [f"{SUM}[1]"] and fewest["left"] == [f"{SUM}[2]", f"{SUM}[3]"]
    timed = maestro.json("tests", "--diff", "-", "--mode", "budget", "--seconds", "3.5", input=TAX_DIFF)
    assert selected(timed) == [f"{SUM}[1]", f"{SUM}[2]"] and timed["left"] == [f"{SUM}[3]"]
    assert timed["skipped"] == [] and "estimated" in timed["notes"][-1]


def test_the_past_is_replayed_by_recorded_outcomes(maestro, clone, tmp_path):
    first = write(tmp_path / "first", recorded(clone))
    cart = files_of(clone)["shop/cart.py"].replace("    return 1\n", "    return 2\n")
    clone.commit("Break it", {"shop/cart.py": cart})
    clone.commit("Say more", {"CODEOWNERS": "* @everyone\n"})
    tests = {
        IDLE: made.ran(IDLE, {"tests/test_cart.py": [9], "shop/cart.py": [10]}, result="failed"),
        SUM: made.ran(SUM, {"tests/test_cart.py": [5], "shop/prices.py": [6]}, result="failed"),
    }
    later = recorded(clone, tests=tests, recorded=2.0)
    maestro.json("index", str(clone.root), "--recording", first)
    assert maestro.json("backtest")["steps"][0]["judged"] == 0
    assert "not known" in maestro("backtest").stdout
    few = ("tests", "--mode", "minimal", "--diff", "-", "--rev", clone.git("rev-parse", "HEAD~2").strip())
    assert "met no recorded failure" in maestro.json(*few, input=IDLE_DIFF)["notes"][-1]
    maestro.json("index", str(clone.root), "--recording", write(tmp_path / "later", later))
    head, middle = maestro.json("backtest")["steps"]
    orders = head["orders"]
    assert (orders["expected"], orders["quickest"], orders["minimal"], orders["missed"]) == (
        0.5,
        0.5,
        1,
        False,
    )
    assert middle["orders"] is None
    assert head["turned"] == [IDLE, SUM] and head["missed"] == [SUM] and head["selected"] == 1
    assert middle["judged"] == 0 and middle["selected"] == 1
    told = maestro("backtest").stdout
    assert "1 MISSED" in told and "over 1 fault" in told and "0 of 1 fault" in told
    assert "it missed 0 of 1 faults" in maestro.json(*few, input=IDLE_DIFF)["notes"][-1]


def test_reports_of_other_runners_become_runtime_facts(maestro, clone, tmp_path):
    (tmp_path / "c.xml").write_text(
        '<coverage><class filename="shop/prices.py"><line number="6" hits="1"/></class></coverage>'
    )
    (tmp_path / "j.xml").write_text(
        '<testsuite><testcase classname="tests.test_cart" name="test_sum"/></testsuite>'
    )
    taken = maestro.json(
        "index",
        str(clone.root),
        "--recording",
        str(tmp_path / "c.xml"),
        "--recording",
        str(tmp_path / "j.xml"),
    )["recordings"]
    assert [each["format"] for each in taken["recordings"]] == ["cobertura", "junit"]
    assert (taken["edges"], taken["tests"]) == (2, 2)
    assert maestro.json("doctor")["well"]
    (tmp_path / "other.xml").write_text(
        '<coverage><class filename="theirs.py"><line number="1" hits="1"/></class></coverage>'
    )
    done = maestro("index", str(clone.root), "--recording", str(tmp_path / "other.xml"))
    assert done.exit_code == 7 and "theirs.py" in done.stderr
