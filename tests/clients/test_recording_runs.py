"""Recording beside other plugins and tools, over several runs, and when something is wrong."""

from __future__ import annotations

import gzip
import json
import re
import subprocess

import pytest
from maestro_selection.recording import RecordingError, numbers, read

CODE = """\
def double(number):
    return 2 * number


def half(number):
    if number % 2:
        raise ValueError(number)
    return number // 2
"""
TESTS = """\
import pytest

import sums


@pytest.fixture(scope="module")
def four():
    return sums.double(2)


def test_double():
    assert sums.double(3) == 6


def test_half(four):
    assert sums.half(four) == 2


@pytest.mark.parametrize("number", [1, 3])
def test_odd(number):
    with pytest.raises(ValueError):
        sums.half(number)
"""
EDIT = """\
import sums


def test_edit():
    with open(sums.__file__, "a") as file:
        file.write("# edited")
"""
OTHERS = "import sums\n\n\ndef test_other():\n    assert sums.double(0) == 0\n"


@pytest.fixture(scope="module")
def template(new_project):
    made = new_project({"sums.py": CODE, "tests/test_sums.py": TESTS, "tests/test_others.py": OTHERS})
    record(made)
    return made


@pytest.fixture
def project(template, tmp_path):
    """A project with a recording of it."""
    return template.copied(tmp_path / "repository")


@pytest.fixture
def alone(template):
    """The recording of a run without any other tool."""
    return template.recording()


def lines_of(recording, test, path="sums.py"):
    found = set()
    for step in recording.tests[test].steps:
        found |= set(numbers(step.trace.lines.get(path, 0)))
    return found


def record(project, *words, **options):
    ran = project.pytest("-q", "--maestro-record", *words, **options)
    assert ran.status == 0, ran.text
    assert "maestro: recorded" in ran.text, ran.text
    return project.recording()


def test_beside_pytest_cov(project, alone):
    plain = project.pytest(
        "-q", "--cov=sums", "--cov-report=json:plain.json", "--cov-context=test", "--cov-branch"
    )
    words = ("--cov=sums", "--cov-report=json:both.json", "--cov-context=test", "--cov-branch")
    both = record(project, *words, every_plugin=True)
    assert plain.status == 0, plain.text
    for test in alone.tests:
        assert lines_of(both, test) == lines_of(alone, test)
        assert lines_of(both, test, "tests/test_sums.py") == lines_of(alone, test, "tests/test_sums.py")
    # And pytest-cov reports what it would have without us.
    reports = [json.loads((project.root / name).read_text()) for name in ("plain.json", "both.json")]
    assert reports[0]["files"] == reports[1]["files"]
    assert reports[0]["totals"] == reports[1]["totals"]
    contexts = project.root / ".coverage"
    assert contexts.exists()


def test_under_coverage_run(project, alone):
    words = ["-m", "coverage", "run", "--source=sums", "-m", "pytest", "-q", "-p", "pytest_maestro.plugin"]
    done = project.python(*words, "--maestro-record")
    assert done.status == 0, done.text
    assert lines_of(project.recording(), "tests/test_sums.py::test_half") == lines_of(
        alone, "tests/test_sums.py::test_half"
    )
    report = project.python("-m", "coverage", "report").text
    assert "sums.py" in report
    assert "test_sums.py" not in report


@pytest.mark.parametrize("words", [(), ("--cov=sums", "--cov-report=")], ids=["alone", "with pytest-cov"])
def test_beside_xdist(project, alone, words):
    spread = record(project, "-n", "2", *words)
    assert spread.tests.keys() == alone.tests.keys()
    for test in alone.tests:
        assert lines_of(spread, test) == lines_of(alone, test), test
        assert spread.tests[test].fixtures == alone.tests[test].fixtures
    assert spread.files == alone.files
    assert spread.imports.keys() == alone.imports.keys()
    assert not spread.earlier


def test_outcomes_are_kept_over_runs(project):
    recording = record(project)
    outcomes = recording.tests["tests/test_sums.py::test_double"].outcomes
    assert [each.result for each in outcomes] == ["passed", "passed"]
    assert len({each.state for each in outcomes}) == 1


def test_a_part_is_joined_with_what_there_is(project):
    before = project.recording()
    project.commit({"sums.py": CODE.replace("2 * number", "number + number")})
    recording = record(project, "tests/test_others.py")
    assert list(recording.tests) == ["tests/test_others.py::test_other"]
    (earlier,) = recording.earlier
    assert earlier.commit == before.commit != recording.commit
    assert earlier.tests.keys() == before.tests.keys() - recording.tests.keys()


def test_tests_that_are_gone_are_dropped(project):
    project.commit({"tests/test_sums.py": TESTS.replace("def test_double", "def test_twice")})
    recording = record(project)
    assert "tests/test_sums.py::test_twice" in recording.tests
    assert not recording.earlier


def test_a_suite_that_cannot_be_collected_leaves_the_recording_alone(project):
    kept = project.place.read_bytes()
    project.write({"tests/test_broken.py": "import nowhere\n"})
    ran = project.pytest("-q", "--maestro-record", "--continue-on-collection-errors")
    assert ran.status == 1
    assert "nothing was recorded: some files could not be collected" in ran.text
    assert project.place.read_bytes() == kept
    ran = project.pytest("-q", "--maestro-record", "-n", "2", "--continue-on-collection-errors")
    assert "nothing was recorded" in ran.text
    assert project.place.read_bytes() == kept


def test_no_test_leaves_the_recording_alone(project):
    kept = project.place.read_bytes()
    ran = project.pytest("-q", "--maestro-record", "-k", "nothing_has_this_name")
    assert ran.status == 5
    assert "no test ran" in ran.text
    assert project.place.read_bytes() == kept


def test_a_damaged_recording_is_replaced_and_said(project):
    project.place.write_bytes(project.place.read_bytes()[:-20])
    ran = project.pytest("-q", "--maestro-record")
    assert "the earlier recording is replaced" in ran.text
    assert "truncated" in ran.text
    assert project.recording().tests


def test_a_recording_of_another_repository_is_not_written_over(project, new_project):
    other = new_project({"tests/test_it.py": "def test_it():\n    pass\n"})
    place = project.place
    kept = place.read_bytes()
    ran = other.pytest("-q", "--maestro-record", f"--maestro-recording={place}")
    assert ran.status == 0
    assert "of another repository" in ran.text
    assert place.read_bytes() == kept


def test_a_place_that_cannot_be_written_to_is_said(project):
    (project.root / "file").write_text("")
    ran = project.pytest("-q", "--maestro-record", "--maestro-recording=file/recording")
    assert ran.status == 0
    assert "nothing was recorded" in ran.text


def test_without_git(project):
    subprocess.run(["rm", "-rf", str(project.root / ".git")], check=True)
    recording = record(project)
    assert recording.commit == ""
    assert set(recording.files) >= {"sums.py", "tests/test_sums.py"}
    assert lines_of(recording, "tests/test_sums.py::test_double")


def test_what_takes_the_tracer_away_is_said(project):
    project.commit(
        {"tests/test_trace.py": "import sys\n\n\ndef test_trace():\n    sys.settrace(None)\n\n\n" + OTHERS}
    )
    recording = record(project)
    taken = [note for note in recording.notes if note.test == "tests/test_trace.py::test_trace"]
    assert [note.kind for note in taken] == ["unmeasured"]
    assert lines_of(recording, "tests/test_trace.py::test_other")


def test_an_interrupted_run_keeps_what_was_whole(project):
    project.commit({"tests/test_others.py": OTHERS + "\n\ndef test_stop():\n    raise KeyboardInterrupt\n"})
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 2
    recording = project.recording()
    assert "tests/test_others.py::test_other" in recording.tests
    assert "tests/test_others.py::test_stop" not in recording.tests
    assert "tests/test_sums.py::test_double" in recording.earlier[0].tests


def test_edits_while_the_tests_run_are_said(project):
    project.commit({"tests/test_edit.py": EDIT})
    recording = record(project)
    assert recording.files["sums.py"] == ""
    assert [note.path for note in recording.notes if note.kind == "unmeasured"] == ["sums.py"]


def test_only_collecting_records_nothing(project):
    project.place.unlink()
    assert project.pytest("-q", "--maestro-record", "--collect-only").status == 0
    assert not project.place.exists()


def test_versions_and_foreign_files(project):
    whole = gzip.decompress(project.place.read_bytes()).decode()
    newer = gzip.compress(re.sub('"version":[0-9]+', '"version":999', whole, count=1).encode())
    with pytest.raises(RecordingError, match="version 999"):
        read(newer)
    with pytest.raises(RecordingError, match="not a recording"):
        read(gzip.compress(b'{"format":"something"}'))


def test_a_copy_that_is_installed_elsewhere_is_said(new_project, tmp_path):
    tests = {"tests/test_it.py": "import goods\n\n\ndef test_it():\n    assert goods.f()\n"}
    made = new_project({"lib/goods/__init__.py": "def f():\n    return 1\n", **tests})
    installed = tmp_path / "site-packages" / "goods"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("def f():\n    return 1\n")
    path = f"import sys, pytest; sys.path.insert(0, {str(installed.parent)!r})"
    words = ("-q", "-p", "pytest_maestro.plugin", "--maestro-record")
    ran = made.python("-c", f"{path}; sys.exit(pytest.main(sys.argv[1:]))", *words)
    assert ran.status == 0, ran.text
    assert "1 files of this repository (lib/goods/__init__.py) were run from an installed copy" in ran.text
    notes = made.recording().notes
    assert [(note.kind, note.path) for note in notes] == [("outside", "lib/goods/__init__.py")]


def test_code_that_hypothesis_reads_for_samples_is_no_input(new_project):
    project = new_project(
        {
            "shop.py": "LIMIT = 123456789\n\ndef total(count):\n    return count * 2\n",
            "tests/test_shop.py": (
                "from hypothesis import given, strategies\nimport shop\n\n"
                "@given(strategies.integers())\ndef test_any(count):\n"
                "    assert shop.total(count) == 2 * count\n\n"
                "def test_one():\n    assert shop.total(1) == 2\n\n"
                "def test_text():\n    with open(shop.__file__) as text:\n"
                "        assert 'LIMIT' in text.read()\n"
            ),
        }
    )
    ran = project.pytest("-q", "--maestro-record", "-p", "_hypothesis_pytestplugin")
    assert ran.status == 0, ran.text
    kept = project.recording()
    assert "shop.py" not in kept.session.opened
    opening = {
        test.function for test in kept.tests.values() if any("shop.py" in s.trace.opened for s in test.steps)
    }
    assert opening == {"test_text"}
