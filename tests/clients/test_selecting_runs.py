"""Selecting in a run by a recording at hand: an edit, and everything that can be wrong."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from maestro_selection.recording import VERSION, Distribution, Note, read, write
from pytest_maestro import local

OURS = f'"version":{VERSION}'.encode()
CODE = """\
def double(number):
    return 2 * number


def half(number):
    return number // 2
"""
TESTS = """\
import pytest

import sums


def test_double():
    assert sums.double(3) == 6


def test_half():
    assert sums.half(4) == 2


@pytest.mark.parametrize("number", [1, 2], ids=["one", "two"])
def test_each(number):
    assert sums.double(number)


def test_data():
    assert open("data.txt").read()
"""
FAILING = "def test_failing():\n    assert False\n"


@pytest.fixture(scope="module")
def template(new_project):
    made = new_project(
        {"sums.py": CODE, "test_sums.py": TESTS, "test_failing.py": FAILING, "data.txt": "x\n"}
    )
    ran = made.pytest("-q", "--maestro-record")
    assert "recorded 6 tests" in ran.text, ran.text
    return made


@pytest.fixture
def project(template, tmp_path):
    return template.copied(tmp_path / "repository")


def decide(project):
    return local.decide(project.place, str(project.root), [project.place])


DOUBLE, HALF, DATA, FAILS = (
    "test_sums.py::test_double",
    "test_sums.py::test_half",
    "test_sums.py::test_data",
    "test_failing.py::test_failing",
)
EACH = {"test_sums.py::test_each[one]", "test_sums.py::test_each[two]"}


def test_an_edit_runs_what_executed_it(project):
    project.write({"sums.py": CODE.replace("number // 2", "number >> 1")})
    ran = project.pytest("--maestro", "-v", "--maestro-plan", "plan.json", "--deselect", FAILS)
    assert ran.status == 0, ran.text
    assert "1 passed" in ran.text
    assert "maestro: 1 of 5 tests run, by the recording of" in ran.text
    (line,) = [line for line in ran.text.splitlines() if line.startswith(f"maestro: {HALF}: ")]
    assert "sums.py:6" in line
    plan = json.loads((project.root / "plan.json").read_text())
    assert [each["test"] for each in plan["selected"]] == [HALF]
    assert plan["selected"][0]["reason"]
    assert set(plan["deselected"]) == {DOUBLE, DATA, *EACH}
    assert plan["all_run"] == ""


def test_nothing_to_run_is_no_failure(project):
    ran = project.pytest("-q", "--maestro", "--deselect", FAILS)
    assert ran.status == 0, ran.text
    assert "maestro: 0 of 5 tests run" in ran.text


def test_an_edit_is_judged_with_xdist(project):
    project.write({"sums.py": CODE.replace("number // 2", "number >> 1")})
    ran = project.pytest("-v", "--maestro", "-n", "2", "--maestro-plan", "plan.json", "--maestro-record")
    assert "1 failed, 1 passed" in ran.text, ran.text
    assert "maestro: 2 of 6 tests run" in ran.text
    plan = json.loads((project.root / "plan.json").read_text())
    assert {each["test"] for each in plan["selected"]} == {HALF, FAILS}
    # What ran is recorded anew, and the rest is kept as it was.
    recording = project.recording()
    assert recording.tests.keys() == {HALF, FAILS}
    assert recording.earlier[0].tests.keys() == {DOUBLE, DATA, *EACH}
    assert decide(project).skipped == {HALF, DOUBLE, DATA, *EACH}


def test_new_and_renamed_tests_and_ids_run(project):
    tests = TESTS.replace("def test_half", "def test_halved").replace('["one", "two"]', '["one", "three"]')
    project.write({"test_sums.py": tests + "\n\ndef test_new():\n    pass\n"})
    ran = project.pytest("-q", "--maestro", "-rA", "--deselect", FAILS)
    assert ran.status == 0, ran.text
    for name in ("test_halved", "test_new", "test_each[three]"):
        assert f"PASSED test_sums.py::{name}" in ran.text
    assert f"PASSED {DATA}" not in ran.text


def test_a_failed_test_runs_again(project):
    decided = decide(project)
    assert decided.reasons == {FAILS: ("it ended with failed when it was last recorded",)}
    assert decided.skipped == {DOUBLE, HALF, DATA, *EACH}


def test_data_selects_who_opened_it(project):
    project.write({"data.txt": "y\n"})
    assert decide(project).reasons.keys() == {DATA, FAILS}
    (project.root / "data.txt").unlink()
    assert decide(project).reasons.keys() == {DATA, FAILS}


def test_comments_select_nothing(project):
    project.write({"sums.py": "# A remark.\n" + CODE})
    assert decide(project).reasons.keys() == {FAILS}


def test_commits_in_between_are_counted_and_judged(project):
    project.commit({"sums.py": CODE.replace("2 * number", "number + number")})
    project.commit({"other.txt": "x"})
    decided = decide(project)
    assert "(2 commits away)" in decided.source
    assert decided.reasons.keys() == {DOUBLE, FAILS, *EACH}


def test_deleted_files_and_merges(project):
    project.git("checkout", "-q", "-b", "side")
    project.commit({"sums.py": CODE.replace("number // 2", "number >> 1")})
    project.git("checkout", "-q", "main")
    project.git("rm", "-q", "test_failing.py")
    project.commit({"other.txt": "x"})
    project.git("merge", "-q", "--no-edit", "side")
    decided = decide(project)
    assert HALF in decided.reasons
    assert DOUBLE in decided.skipped


def test_no_recording_runs_everything(project):
    project.place.unlink()
    ran = project.pytest("-q", "--maestro", "--deselect", FAILS)
    assert ran.status == 0
    assert "5 passed" in ran.text
    assert "maestro: all tests run. There is no recording at" in ran.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda whole: whole[:-30], "truncated"),
        (lambda whole: b"something", "not a recording"),
        (
            lambda whole: gzip.compress(gzip.decompress(whole).replace(OURS, b'"version":77', 1)),
            "version 77",
        ),
    ],
    ids=["truncated", "foreign", "newer"],
)
def test_a_recording_that_cannot_be_read_runs_everything(project, change, told):
    project.place.write_bytes(change(project.place.read_bytes()))
    assert told in decide(project).all_run


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"roots": ("9" * 40,)}, "another repository"),
        ({"python": "3.2.0"}, "made with 3.2.0"),
    ],
    ids=["repository", "python"],
)
def test_a_recording_of_something_else_runs_everything(project, changes, told):
    write(replace(project.recording(), **changes), project.place)
    decided = decide(project)
    assert told in decided.all_run
    assert not decided.skipped


def test_what_is_installed_here_selects_too(project):
    recording = project.recording()
    write(replace(recording, distributions={}), project.place)
    decided = decide(project)
    assert not decided.skipped
    assert any("is new, and who looks for it is not known" in note for note in decided.notes)
    mine = Distribution("1.0", ("sums_of_others",))
    write(replace(recording, distributions={**recording.distributions, "gone": mine}), project.place)
    decided = decide(project)
    assert {DOUBLE, HALF} <= decided.skipped
    assert any("gone 1.0 is not installed any more" in note for note in decided.notes)


def test_a_manifest_is_compared_with_what_was_recorded(project):
    project.write({"requirements.txt": "nothing-like-it==1.0\n"})
    project.commit()
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 1, ran.text
    project.write({"requirements.txt": "nothing-like-it==1.1\n"})
    decided = decide(project)
    assert {DOUBLE, HALF} <= decided.skipped
    project.write({"requirements.txt": "nothing like it\n"})
    assert not decide(project).skipped


def test_an_earlier_part_made_with_something_else_runs(project):
    recording = project.recording()
    half = {HALF: recording.tests[HALF]}
    rest = {node: test for node, test in recording.tests.items() if node != HALF}
    older = replace(recording, tests=half, python="3.2.0", recorded=1.0)
    write(replace(recording, tests=rest, earlier=(older,)), project.place)
    decided = decide(project)
    assert "made with 3.2.0" in decided.reason(HALF)[0]
    assert DOUBLE in decided.skipped


def test_a_commit_that_is_not_here_is_said(project):
    write(replace(project.recording(), commit="a" * 40), project.place)
    decided = decide(project)
    assert "not in this clone" in decided.source
    assert HALF in decided.skipped


def test_what_changed_during_the_recording_counts_as_changed(project):
    recording = project.recording()
    write(replace(recording, files={**recording.files, "data.txt": ""}), project.place)
    assert DATA in decide(project).reasons


def test_a_plan_that_cannot_be_written_is_said(project):
    ran = project.pytest("-q", "--maestro", "--maestro-plan", "data.txt/plan.json", "--deselect", FAILS)
    assert ran.status == 0
    assert "the plan could not be written" in ran.text


def test_without_its_options_the_plugin_does_nothing(project):
    kept = project.place.read_bytes()
    ran = project.pytest("-q", "--deselect", FAILS)
    assert "5 passed" in ran.text
    assert "maestro" not in ran.text
    assert project.place.read_bytes() == kept


def test_notes_of_a_recording_stay(project):
    noted = replace(project.recording(), notes=(Note("other", "", "something was not seen"),))
    write(noted, project.place)
    assert read(project.place).notes == noted.notes
