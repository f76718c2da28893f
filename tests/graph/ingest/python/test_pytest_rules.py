"""Tests and fixtures found by reading, against what pytest itself finds in the same folder."""

import os
import random
import re
import subprocess
import sys

import pytest

from graph.facts import Scope
from graph.ingest.python import configuration, fixtures, syntax
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target

PROBE = """
import pytest


def pytest_collection_finish(session):
    for item in session.items:
        found = []
        for name, definitions in item._fixtureinfo.name2fixturedefs.items():
            last = definitions[-1]
            code = getattr(last.func, "__code__", None)
            if code is not None:
                found.append(f"{name}={code.co_filename}:{code.co_firstlineno}")
        print("ITEM", item.nodeid, *sorted(found), sep="|")
"""


def lay(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(files):
    records = {
        path: syntax.parse(path, text.encode()) for path, text in files.items() if path.endswith(".py")
    }
    program = Program(Scope("t", "r"), records)
    settings = configuration.read(
        {path: text.encode() for path, text in files.items() if configuration.wanted(path)}
    )
    return program, fixtures.table(program, settings)


def asked(folder, *arguments):
    """Test id -> {fixture name: "path:first line"}, as pytest itself sees it."""
    probe = folder.parent / f"{folder.name}_probe"
    probe.mkdir()
    (probe / "maestro_probe.py").write_text(PROBE)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.pathsep.join([str(probe), str(folder)])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "maestro_probe",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-p", "no:anyio", "-p", "no:hypothesispytest", "--rootdir", str(folder), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("ITEM|"):
            _, identifier, *handed = line.split("|")
            inside = {}
            for pair in handed:
                name, _, place = pair.partition("=")
                path, _, number = place.rpartition(":")
                if path.startswith(f"{folder}/"):
                    inside[name] = f"{os.path.relpath(path, folder)}:{number}"
            found[re.sub(r"\[.*\]$", "", identifier)] = inside
    assert done.returncode in (0, 5), done.stdout + done.stderr
    return found


def seen(program, table):
    """The same from our own reading: every fixture that a test leads to, by name."""
    found = {}
    for case in table.discovery.cases:
        names = {}
        waiting = [*table.parameters.get(case.function, {}).items()]
        waiting += [(None, target) for target in table.autouse.get(case.function, ())]
        waiting += [(None, target) for target in table.usefixtures.get(case.function, ())]
        done = set()
        while waiting:
            _name, targets = waiting.pop()
            for target in (
                targets if isinstance(targets, tuple) and not isinstance(targets, Target) else (targets,)
            ):
                if target in done:
                    continue
                done.add(target)
                names.setdefault(called(program, target), []).append(place(program, target))
                waiting += table.parameters.get(target, {}).items()
        found[f"{case.path}::{case.identifier}"] = names
    return found


def called(program, target):
    record = program.records[target.path].frameworks
    mark = next(mark for mark in record.fixtures if mark.place == target.place)
    return mark.name or program.definition(target).qualname.rpartition(".")[2]


def place(program, target):
    return f"{target.path}:{program.definition(target).line}"


def agree(tmp_path, files, *arguments):
    folder = tmp_path / "suite"
    folder.mkdir()
    lay(folder, files)
    theirs = asked(folder, *arguments)
    program, table = read(files)
    ours = seen(program, table)
    assert sorted(ours) == sorted(theirs)
    for identifier, handed in theirs.items():
        for name, where in handed.items():
            assert where in ours[identifier].get(name, ()), (identifier, name, where, ours[identifier])
        if (
            tuple(identifier.split("::", 1)) not in table.parametrized
        ):  # shadowing is known for the test alone
            assert set(ours[identifier]) == set(handed), identifier
    return program, table


FIXED = {
    "conventions": {
        "test_a.py": (
            "import pytest\nfrom helpers import TestShared, test_shared\n"
            "def test_one(): pass\ndef testtwo(): pass\ndef other(): pass\nasync def test_async(): pass\n"
            "class TestA:\n    def test_m(self): pass\n    def helper(self): pass\n"
            "    class TestInner:\n        def test_deep(self): pass\n    class Inner:\n"
            "        def test_not(self): pass\n"
            "    @staticmethod\n    def test_static(): pass\n    @classmethod\n"
            "    def test_klass(cls): pass\n"
            "class TestInit:\n    def __init__(self): pass\n    def test_x(self): pass\n"
            "class TestNew:\n    def __new__(cls): return object.__new__(cls)\n    def test_x(self): pass\n"
            "class TestOff:\n    __test__ = False\n    def test_x(self): pass\n"
            "class TestBackOn(TestOff):\n    __test__ = True\n    def test_y(self): pass\n"
            "class TestStillOff(TestOff):\n    def test_y(self): pass\n"
            "class Base:\n    def test_inherited(self): pass\n    def test_dropped(self): pass\n"
            "class TestChild(Base):\n    test_dropped = None\n    def test_own(self): pass\n"
            "class TestGone:\n    def test_x(self): pass\ndel TestGone\n"
            "class TestError(Exception):\n    def test_x(self): pass\n"
            "def test_off(): pass\ntest_off.__test__ = False\n"
            "@pytest.mark.parametrize('a, b', [(1, 2), (3, 4)])\ndef test_many(a, b): pass\n"
            "if True:\n    def test_conditional(): pass\n"
            "def test_twice(): pass\ndef test_twice(): pass\n"
        ),
        "helpers.py": "class TestShared:\n    def test_shared(self): pass\ndef test_shared(): pass\n",
        "b_test.py": "def test_b(): pass\n",
        "notatest.py": "def test_c(): pass\n",
        "build/test_built.py": "def test_built(): pass\n",
        ".hidden/test_hidden.py": "def test_hidden(): pass\n",
        "sub/deep/test_d.py": "def test_d(): pass\n",
    },
    "unittest": {
        "test_u.py": (
            "import unittest\nfrom unittest import TestCase as TC\nimport pytest\n"
            "class Plain(unittest.TestCase):\n    def setUp(self): pass\n    def test_a(self): pass\n"
            "    def check(self): pass\n"
            "class Mixin:\n    def test_mixed(self): pass\n"
            "class Derived(Mixin, Plain):\n    def test_b(self): pass\n"
            "class Aliased(TC):\n    def test_c(self): pass\n"
            "class Async(unittest.IsolatedAsyncioTestCase):\n    async def test_d(self): pass\n"
            "class Run(unittest.TestCase):\n    def runTest(self): pass\n"
            "class Auto(TC):\n    @pytest.fixture(autouse=True)\n    def ready(self): pass\n"
            "    def test_e(self): pass\n"
            "class Off(TC):\n    __test__ = False\n    def test_f(self): pass\n"
        ),
    },
    "fixtures": {
        "conftest.py": (
            "import pytest\npytest_plugins = ['plug']\n"
            "@pytest.fixture\ndef a(): return 'root'\n"
            "@pytest.fixture\ndef b(a): return a\n"
            "@pytest.fixture(name='renamed')\ndef _hidden(b): return b\n"
            "@pytest.fixture(autouse=True)\ndef always(): pass\n"
            "@pytest.fixture\ndef marked(a): pass\n"
        ),
        "plug.py": (
            "import pytest\n@pytest.fixture\ndef plugged(a): pass\n@pytest.fixture\ndef a(): pass\n"
            "@pytest.fixture(scope='session', autouse=True)\ndef plug_auto(): pass\n"
        ),
        "shared.py": "import pytest\n@pytest.fixture\ndef imported(a): pass\n@pytest.fixture\n"
        "def starred(): pass\n",
        "sub/conftest.py": (
            "import pytest\n@pytest.fixture\ndef a(a): return a\n@pytest.fixture(autouse=True)\n"
            "def sub_auto(a): pass\n"
        ),
        "sub/test_s.py": (
            "import pytest\nfrom shared import imported\nfrom shared import *\n"
            "@pytest.fixture\ndef b(b): return b\n"
            "def test_chain(b): pass\ndef test_renamed(renamed): pass\n"
            "def test_plug(plugged, imported): pass\n"
            "def test_default(a=1): pass\ndef test_keyword(*, a): pass\n"
            "@pytest.mark.usefixtures('marked')\ndef test_marked(): pass\n"
            "class TestC:\n    @pytest.fixture\n    def a(self, a): return a\n"
            "    def test_class(self, a): pass\n    def test_through(self, b): pass\n"
            "    class TestInner:\n        @pytest.fixture\n        def own(self, a): pass\n"
            "        def test_inner(self, own): pass\n"
            "class TestD(TestC):\n    def test_d(self, a, starred): pass\n"
            "@pytest.mark.parametrize('a', [1])\ndef test_shadow(a, b): pass\n"
            "@pytest.mark.parametrize('a', [1], indirect=True)\ndef test_indirect(a, b): pass\n"
            "@pytest.mark.parametrize(['a', 'b'], [(1, 2)], indirect=['b'])\ndef test_partly(a, b): pass\n"
        ),
        "test_top.py": (
            "import pytest\nfrom unittest import mock\npytestmark = [pytest.mark.usefixtures('marked')]\n"
            "slow = pytest.mark.parametrize('a', [1])\n"
            "@pytest.fixture\ndef twice(): pass\n@pytest.fixture\ndef twice(a): pass\n"
            "def test_twice(twice): pass\n"
            "@mock.patch('os.getcwd')\ndef test_injected(b, a): pass\n"
            "@mock.patch('os.getcwd', None)\ndef test_replaced(a): pass\n"
            "@slow\ndef test_named_mark(a): pass\n"
            "@pytest.mark.usefixtures('renamed')\nclass TestMarked:\n    def test_it(self): pass\n"
        ),
    },
}


@pytest.mark.parametrize("suite", FIXED)
def test_agrees_with_pytest(tmp_path, suite):
    agree(tmp_path, FIXED[suite])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\npython_files = check_*.py\npython_functions = check_ *_case\n"
        "python_classes = Check *Suite\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npython_files = ["check_*.py"]\n'
        'python_functions = "check_ *_case"\npython_classes = ["Check", "*Suite"]\n'),
        ("tox.ini", "[tox]\nenvlist = x\n[pytest]\npython_files =\n    check_*.py\n"
        "python_functions = check_ *_case\npython_classes = Check *Suite\n"),
        ("setup.cfg", "[tool:pytest]\npython_files = check_*.py\npython_functions = check_ *_case\n"
        "python_classes = Check *Suite\n"),
    ],
)  # fmt: skip
def test_settings_agree_with_pytest(tmp_path, name, text):
    body = (
        "def check_a(): pass\ndef b_case(): pass\ndef test_c(): pass\n"
        "class Check1:\n    def check_d(self): pass\n    def test_e(self): pass\n"
        "class MySuite:\n    def f_case(self): pass\nclass TestNot:\n    def check_g(self): pass\n"
    )
    _program, table = agree(tmp_path, {name: text, "check_x.py": body, "test_y.py": body})
    assert len(table.discovery.cases) == 4


@pytest.mark.parametrize("seed", range(8))
def test_random_layouts_agree_with_pytest(tmp_path, seed):
    """Fixtures of few names at random levels, each asking for others or for its own name outwards."""
    rng = random.Random(seed)
    names = ["p", "q", "r", "s"]
    levels = ["conftest.py", "x/conftest.py", "x/y/conftest.py", "x/y/test_m.py", "x/test_n.py", "test_o.py"]
    files = {}
    # Only fixtures later in the order ask for earlier ones, or for their own name where it exists outwards.
    for path in levels:
        lines = ["import pytest"]
        outwards = {
            name
            for other, text in files.items()
            if other.endswith("conftest.py")
            and path.startswith(other.removesuffix("conftest.py"))
            and other != path
            for name in names
            if f"def {name}(" in text
        }
        for at, name in enumerate(names):
            if path == "conftest.py" or rng.random() < 0.5:
                wanted = [other for other in names[:at] if rng.random() < 0.4]
                if name in outwards and rng.random() < 0.5:
                    wanted.append(name)
                autouse = ", autouse=True" if rng.random() < 0.15 else ""
                scope = "scope='function'"
                lines += [f"@pytest.fixture({scope}{autouse})", f"def {name}({', '.join(wanted)}): pass"]
        if "test_" in path:
            for number in range(3):
                wanted = rng.sample(names, rng.randint(0, 3))
                lines += [f"def test_{number}({', '.join(wanted)}): pass"]
            lines += ["class TestK:", "    @pytest.fixture", f"    def {rng.choice(names)}(self): pass"]
            lines += [f"    def test_k(self, {', '.join(rng.sample(names, 2))}): pass"]
        files[path] = "\n".join(lines) + "\n"
    folder = tmp_path / "suite"
    folder.mkdir()
    lay(folder, files)
    theirs = asked(folder)
    program, table = read(files)
    ours = seen(program, table)
    assert sorted(ours) == sorted(theirs)
    for identifier, handed in theirs.items():
        for name, where in handed.items():
            assert where in ours[identifier].get(name, ()), (identifier, name, where, ours[identifier])


def test_fixture_cycles_end():
    _program, table = read(
        {
            "test_c.py": (
                "import pytest\n@pytest.fixture\ndef a(b): pass\n@pytest.fixture\ndef b(a): pass\n"
                "@pytest.fixture\ndef alone(alone): pass\ndef test_it(a, alone): pass\n"
            )
        }
    )
    (case,) = table.discovery.cases
    assert set(table.parameters[case.function]) == {"a", "alone"}
    alone = table.parameters[case.function]["alone"][0]
    assert alone not in table.parameters


def test_a_stranger_is_no_fixture():
    _, table = read({"test_c.py": "import pytest\ndef test_it(request, tmp_path, unknown): pass\n"})
    assert not table.parameters


def test_patterns_with_folders(tmp_path):
    agree(
        tmp_path,
        {
            "pytest.ini": "[pytest]\npython_files = unit/*_check.py\n",
            "a/unit/one_check.py": "def test_a(): pass\n",
            "unit/two_check.py": "def test_b(): pass\n",
            "three_check.py": "def test_c(): pass\n",
        },
    )


def test_a_hook_that_makes_items_lets_derived_classes_be_tests():
    files = {
        "conftest.py": "def pytest_pycollect_makeitem(collector, name, obj): pass\n",
        "base.py": "class Base:\n    pass\n",
        "test_a.py": (
            "from base import Base\nclass OwnTest(Base):\n    def test_x(self): pass\n"
            "class _Hidden(Base):\n    def test_x(self): pass\nclass Plain:\n    def test_x(self): pass\n"
        ),
    }
    _, table = read(files)
    assert [case.identifier for case in table.discovery.cases] == ["OwnTest::test_x"]


def test_parametrized_tests_are_one_test():
    files = {
        "test_p.py": (
            "import pytest\n@pytest.fixture(params=[1, 2])\ndef f(request): pass\n@pytest.fixture\n"
            "def g(f): pass\n"
            "@pytest.mark.parametrize('x', [1])\ndef test_a(x): pass\ndef test_b(g): pass\n"
            "def test_c(): pass\n"
        )
    }
    _, table = read(files)
    assert table.parametrized == {("test_p.py", "test_a"), ("test_p.py", "test_b")}
    assert len(table.discovery.cases) == 3


def test_nearest_settings_hold():
    _, table = read(
        {
            "pyproject.toml": "[tool.pytest.ini_options]\npython_files = 'check_*.py'\n",
            "sub/pytest.ini": "[pytest]\n",
            "check_a.py": "def test_a(): pass\n",
            "sub/test_b.py": "def test_b(up): pass\n",
            "conftest.py": "import pytest\n@pytest.fixture\ndef up(): pass\n",
        }
    )
    assert [case.identifier for case in table.discovery.cases] == ["test_a", "test_b"]
    assert not table.parameters  # the root of sub is sub: conftest.py above it is not read


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("pyproject.toml", b"[tool.pytest.ini_options\n"),
        ("pytest.ini", b"python_files = x\n"),
        ("setup.cfg", b"[tool:pytest]\npython_files = \xff\n"),
        ("setup.py", b"def f(:\n"),
    ],
)
def test_broken_configuration_is_said(path, data):
    found = configuration.read({path: data})
    assert [entry[0] for entry in found.unread] == [path]
    assert found.of("tests/test_x.py") == configuration.Settings()


def test_odd_values_are_not_followed():
    found = configuration.read(
        {
            "pyproject.toml": b"[tool.pytest]\nini_options = 3\n[project]\nscripts = 'no'\n"
            b"[project.entry-points]\nx = 1\n",
            "a/tox.ini": b"[pytest]\naddopts = -p 'unclosed\n",
        }
    )
    assert not found.unread
    assert not found.entries


def test_entry_points_of_all_files():
    found = configuration.read(
        {
            "pyproject.toml": b"[project.scripts]\nrun = 'a.b:main'\n[project.entry-points.pytest11]\n"
            b"plug = 'a.plug'\n",
            "setup.cfg": b"[options.entry_points]\nconsole_scripts =\n    other = a.c:main\n",
            "x/setup.py": b"from setuptools import setup\nsetup(entry_points={'g': ['n = a.d:f']})\n",
        }
    )
    assert {(entry.group, entry.name, entry.target) for entry in found.entries} == {
        ("console_scripts", "run", "a.b:main"),
        ("pytest11", "plug", "a.plug"),
        ("console_scripts", "other", "a.c:main"),
        ("g", "n", "a.d:f"),
    }
