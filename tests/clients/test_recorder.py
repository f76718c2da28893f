"""What a recording tells, on a run of a real project that does all that recordings know of."""

from __future__ import annotations

import pytest
from maestro_selection.recording import Process, numbers

SHOP = """\
import functools
import os
import pathlib
import shop.prices

HERE = pathlib.Path(__file__).parent


def total(count):
    return count * shop.prices.price()


def greeting():
    return (HERE / "greeting.txt").read_text()


def country():
    return os.environ.get("SHOP_COUNTRY", "none")


def templates():
    return sorted(os.listdir(HERE / "templates"))


def written(place):
    place.write_text("x")


async def later():
    return 3
"""
PRICES = """\
def register(function):
    REGISTERED.append(function)
    return function


REGISTERED = []


@register
def price():
    return 2
"""
LAZY = """\
NAME = "lazy"


def name():
    return NAME
"""
CONFTEST = """\
import pytest


@pytest.fixture(scope="session")
def store():
    made = {"open": True}
    yield made
    made["open"] = False


@pytest.fixture
def basket(store):
    held = []
    yield held
    held.clear()


@pytest.fixture
def asked(request):
    return request.getfixturevalue("basket")


def pytest_runtest_setup(item):
    item.seen = True
"""
TESTS = """\
import asyncio
import importlib
import multiprocessing
import os
import subprocess
import sys
import unittest

import pytest

import shop


def test_total():
    assert shop.total(2) == 4


def test_first_with_store(store):
    assert store["open"]


def test_second_with_store(store):
    assert store


def test_basket(basket):
    basket.append(1)


def test_asked(asked):
    assert asked == []


def test_greeting():
    assert shop.greeting()


def test_country():
    assert shop.country() == "none"


def test_templates():
    assert shop.templates() == ["page.html"]


def test_written(tmp_path):
    shop.written(tmp_path / "x")


@pytest.mark.parametrize("count", [1, 3], ids=["one", "three"])
def test_count(count):
    assert shop.total(count)


class TestGroup:
    def setup_method(self):
        self.shop = shop

    def test_inside(self):
        assert self.shop.country()


class TestOld(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.total = shop.total(1)

    def test_old(self):
        self.assertEqual(self.total, 2)

    def test_parts(self):
        for count in (1, 2):
            with self.subTest(count=count):
                self.assertEqual(shop.total(count), 2 * count)


def test_later():
    assert asyncio.run(shop.later()) == 3


def test_lazy():
    import shop.lazy

    assert shop.lazy.name() == "lazy"


def test_dynamic():
    assert importlib.import_module("shop.lazy").NAME


def test_process():
    subprocess.run([sys.executable, "-c", "import shop; assert shop.total(5)"], check=True)


def test_clean_process():
    environment = {"PYTHONPATH": os.environ["PYTHONPATH"]}
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True, env={})


def test_other_program():
    subprocess.run(["git", "--version"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cat", shop.HERE / "greeting.txt"], check=True)


def child_total():
    assert shop.country() == "none"


def test_fork():
    context = multiprocessing.get_context("fork")
    process = context.Process(target=child_total)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_spawn():
    process = multiprocessing.get_context("spawn").Process(target=child_total)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_fork_server():
    process = multiprocessing.get_context("forkserver").Process(target=child_total)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_killed():
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    process.stdout.readline()
    process.kill()
    process.communicate()


def test_terminated():
    text = "import shop; shop.greeting(); print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", text], stdin=-1, stdout=-1)
    process.stdout.readline()
    process.terminate()
    process.communicate()


@pytest.mark.skip
def test_skipped():
    pass


@pytest.mark.xfail
def test_expected():
    assert not shop.total(1)


def test_fails():
    assert shop.total(1) == 3
"""


@pytest.fixture(scope="module")
def project(new_project):
    return new_project(
        {
            "src/shop/__init__.py": SHOP,
            "src/shop/prices.py": PRICES,
            "src/shop/lazy.py": LAZY,
            "src/shop/unused.py": "UNUSED = 1\n",
            "src/shop/greeting.txt": "hello\n",
            "src/shop/templates/page.html": "<p>\n",
            "tests/conftest.py": CONFTEST,
            "tests/test_shop.py": TESTS,
            "pytest.ini": "[pytest]\ntestpaths = tests\n",
        }
    )


@pytest.fixture(scope="module")
def recording(project):
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 1, ran.text
    assert "maestro: recorded 28 tests in .maestro/recording." in ran.text
    return project.recording()


@pytest.fixture(scope="module")
def steps(recording):
    def of(name, phase="call", fixture=""):
        found = [
            step.trace
            for step in recording.tests[f"tests/test_shop.py::{name}"].steps
            if step.phase == phase and step.fixture == fixture
        ]
        return found[0] if found else None

    return of


def executed(trace, path):
    return set(numbers(trace.lines.get(path, 0)))


INIT = "src/shop/__init__.py"


def test_lines_belong_to_the_test_that_executed_them(project, steps):
    total = project.line(INIT, "return count * shop")
    assert executed(steps("test_total"), INIT) == {total}
    assert executed(steps("test_total"), "src/shop/prices.py") == {
        project.line("src/shop/prices.py", "return 2")
    }
    assert executed(steps("test_greeting"), INIT) == {project.line(INIT, "greeting.txt")}
    assert executed(steps("test_later"), INIT) == {project.line(INIT, "return 3")}


def test_what_runs_at_import_is_apart(project, recording, steps):
    prices = recording.imports["src/shop/prices.py"]
    assert project.line("src/shop/prices.py", "REGISTERED.append") in executed(prices, "src/shop/prices.py")
    assert recording.imports[INIT].imported == {"src/shop/prices.py"}
    assert "tests/test_shop.py" in recording.collections["tests/test_shop.py"].imported
    assert steps("test_lazy").imported == {"src/shop/lazy.py"}
    assert steps("test_dynamic").imported == {"src/shop/lazy.py"}
    assert executed(steps("test_lazy"), "src/shop/lazy.py") == {
        project.line("src/shop/lazy.py", "return NAME")
    }
    assert "src/shop/unused.py" not in recording.imports


def test_fixtures_are_apart_and_shared(project, recording, steps):
    key = "tests/conftest.py::store"
    first = steps("test_first_with_store", "setup", key)
    assert executed(first, "tests/conftest.py") >= {project.line("tests/conftest.py", "made = {")}
    assert steps("test_second_with_store", "setup", key) == first
    ended = steps("test_first_with_store", "teardown", key)
    assert executed(ended, "tests/conftest.py") == {project.line("tests/conftest.py", '"open"] = False')}
    basket = recording.tests["tests/test_shop.py::test_basket"]
    assert set(basket.fixtures) == {key, "tests/conftest.py::basket"}
    assert steps("test_basket", "teardown", "tests/conftest.py::basket")
    asked = recording.tests["tests/test_shop.py::test_asked"].fixtures
    assert {"tests/conftest.py::asked", "tests/conftest.py::basket", key} <= set(asked)
    assert recording.fixtures[key].scope == "session"


def test_hooks_of_conftest_files_belong_to_the_test(project, steps):
    hook = project.line("tests/conftest.py", "item.seen = True")
    assert hook in executed(steps("test_total", "setup"), "tests/conftest.py")


def test_files_folders_and_variables(steps):
    assert steps("test_greeting").opened == {"src/shop/greeting.txt"}
    assert steps("test_templates").listed == {"src/shop/templates"}
    assert steps("test_country").variables == {"SHOP_COUNTRY"}
    assert not steps("test_written").opened


def test_unittest_classes_and_parameters(project, recording, steps):
    old = recording.tests["tests/test_shop.py::TestOld::test_old"]
    assert old.function == "TestOld.test_old"
    shared = {number for step in old.steps if step.phase == "setup" for number in executed(step.trace, INIT)}
    assert project.line(INIT, "return count * shop") in shared
    one = recording.tests["tests/test_shop.py::test_count[one]"]
    assert (one.function, one.parameters, one.path) == ("test_count", "one", "tests/test_shop.py")
    assert recording.tests["tests/test_shop.py::TestGroup::test_inside"].function == "TestGroup.test_inside"
    assert executed(steps("TestOld::test_parts"), INIT)


def test_outcomes(recording):
    ends = {node.rpartition("::")[2]: test.result for node, test in recording.tests.items()}
    assert ends["test_total"] == ends["test_parts"] == "passed"
    assert ends["test_skipped"] == "skipped"
    assert ends["test_expected"] == "xfailed"
    assert ends["test_fails"] == "failed"
    assert all(test.outcomes[-1].state == recording.commit[:12] for test in recording.tests.values())


def test_processes_are_followed(project, steps):
    total = project.line(INIT, "return count * shop")
    assert total in executed(steps("test_process"), INIT)
    assert steps("test_process").processes == {Process("python", True)} or all(
        process.followed for process in steps("test_process").processes
    )
    country = project.line(INIT, "SHOP_COUNTRY")
    assert country in executed(steps("test_fork"), INIT)
    assert country in executed(steps("test_spawn"), INIT)
    assert country in executed(steps("test_fork_server"), INIT)
    assert "SHOP_COUNTRY" in steps("test_spawn").variables
    assert "src/shop/greeting.txt" in steps("test_terminated").opened


def test_a_process_that_was_not_followed_is_told(recording, steps):
    for name in ("test_clean_process", "test_killed"):
        assert [process.followed for process in steps(name).processes] == [False], name
    assert steps("test_other_program").processes == {Process("git", False), Process("cat", False)}
    assert steps("test_other_program").opened == {"src/shop/greeting.txt"}
    assert "lost-process" in {note.kind for note in recording.notes}
    assert not steps("test_total").processes


def test_state_files_and_tables(project, recording):
    assert recording.commit == project.git("rev-parse", "HEAD")
    assert recording.roots == (project.git("rev-list", "--max-parents=0", "HEAD"),)
    assert not recording.dirty
    assert recording.files[INIT] == project.git("hash-object", INIT)
    assert recording.files["src/shop/greeting.txt"]
    assert {path for path in recording.files if path.endswith(".py")} == set(recording.tables)
    assert "src/shop/unused.py" in recording.tables
    assert recording.distributions["pytest"].plugin is False
    assert not project.git("status", "--porcelain")
