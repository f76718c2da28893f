"""Changes of what is installed select by who imports it, and all tests where that is not known."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from maestro_selection import changes, manifests, selection
from maestro_selection.recording import (
    CALL,
    Distribution,
    Process,
    Recording,
    Step,
    Test,
    Trace,
    bitmap,
    read,
)
from maestro_selection.tables import read as table

tomllib = pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")

FILES = {
    "shop/__init__.py": "",
    "shop/web.py": "import click\n\ndef shown():\n    return click.style('x')\n",
    "shop/late.py": "def late():\n    import yaml\n    return yaml.dump(1)\n",
    "shop/plain.py": "def plain():\n    return 1\n",
    "shop/about.py": "from importlib import metadata\n\ndef about():\n    return metadata.version('shop')\n",
    "tests/test_web.py": "from shop.web import shown\n\ndef test_web():\n    assert shown()\n",
    "tests/test_late.py": "from shop.late import late\n\ndef test_late():\n    assert late()\n",
    "tests/test_plain.py": "from shop.plain import plain\n\ndef test_plain():\n    assert plain()\n",
    "tests/test_about.py": "from shop.about import about\n\ndef test_about():\n    assert about()\n",
}
HELD = {
    "click": Distribution("8.0", ("click",), ("colorama",)),
    "colorama": Distribution("0.4", ("colorama",)),
    "pyyaml": Distribution("6.0", ("yaml", "_yaml")),
    "pytest": Distribution("8.0", ("pytest", "_pytest"), ("pluggy",)),
    "pluggy": Distribution("1.5", ("pluggy",)),
    "pytest-env": Distribution("1.0", ("pytest_env",), ("pytest",), True),
    "mypy": Distribution("1.10", ("mypy",)),
    "odd": Distribution("1.0", ()),
}
LOADED = frozenset({"click", "colorama", "yaml", "pytest", "pluggy", "shop", "sys"})
ALL = {"web", "late", "plain", "about"}


def recorded(**others: object) -> Recording:
    """A test for each module of a shop, which executed the body of its one function."""
    tests, imports = {}, {}
    for path in FILES:
        imports[path] = Trace({path: bitmap(range(1, 2))})
        name = path.rpartition("test_")[2][:-3]
        if "test_" in path:
            lines = {f"shop/{name}.py": bitmap(range(2, 6)), path: bitmap([4])}
            node = f"{path}::test_{name}"
            tests[node] = Test(node, path, f"test_{name}", steps=(Step(CALL, "", Trace(lines)),))
    whole = Recording(
        files={path: "1" for path in FILES},
        tables={path: table(path, text).to_json() for path, text in FILES.items()},
        tests=tests,
        imports=imports,
        distributions=HELD,
        modules=LOADED,
    )
    return replace(whole, **others)  # type: ignore[arg-type]


def chosen(
    path: str, old: str, new: str, recording: Recording | None = None, **others: object
) -> tuple[set[str], list[str]]:
    """Names of the tests that a changed manifest selects, and all that is said."""
    change = changes.compare(path, "1", "2")
    change = manifests.told(change, old.encode(), new.encode())
    answer = selection.select(recording or recorded(**others), [change])
    return {test.node.rpartition("_")[2] for test in answer.tests}, [*answer.widened, *answer.notes]


PINS = "click==8.0\ncolorama==0.4\npyyaml==6.0\nmypy==1.10\npytest==8.0\npluggy==1.5\npytest-env==1.0\n"


def pinned(before: str, after: str, **others: object) -> tuple[set[str], list[str]]:
    assert before in PINS
    return chosen("requirements.txt", PINS, PINS.replace(before, after, 1), **others)


def test_a_version_selects_who_needs_a_file_that_imports_it():
    found, said = pinned("click==8.0", "click==8.1")
    assert found == {"web", "about"}, said  # who reads metadata reads versions
    assert any("shop/web.py" in sentence for sentence in said)


def test_an_import_in_a_function_selects_who_executed_it():
    assert pinned("pyyaml==6.0", "pyyaml==6.1")[0] == {"late", "about"}


def test_what_another_one_needs_alters_that_one():
    assert pinned("colorama==0.4", "colorama==0.5")[0] == {"web", "about"}


@pytest.mark.parametrize("name", ["pytest==8.0", "pluggy==1.5", "pytest-env==1.0"])
def test_what_is_part_of_every_run_selects_all(name):
    found, said = pinned(name, name + ".1")
    assert found == ALL
    assert any("part of every run" in sentence for sentence in said)


def test_what_nothing_imports_selects_nothing_more():
    found, said = pinned("mypy==1.10", "mypy==1.11")
    assert found == {"about"}
    assert any("nothing imports it" in sentence for sentence in said)


def test_what_was_loaded_by_somebody_unknown_selects_all():
    assert pinned("mypy==1.10", "mypy==1.11", modules=LOADED | {"mypy"})[0] == ALL
    assert pinned("mypy==1.10", "mypy==1.11", modules=frozenset())[0] == ALL


def test_modules_that_are_not_known_select_all():
    lock = "odd==1.0\n"
    assert chosen("requirements.txt", lock, "odd==1.1\n")[0] == ALL


def test_one_that_goes_selects_who_imports_it():
    assert pinned("pyyaml==6.0\n", "")[0] == {"late", "about"}


def test_one_that_comes_selects_all_but_a_program():
    found, said = pinned("mypy==1.10\n", "mypy==1.10\nrich==13\n")
    assert found == ALL
    assert any("rich is new" in sentence for sentence in said)
    assert pinned("mypy==1.10\n", "mypy==1.10\nruff==0.5\ntypes-pyyaml==1\n")[0] == set()


def test_one_that_was_not_installed_selects_nothing():
    lock = PINS + "sphinx==7\n"
    found, said = chosen("requirements.txt", lock, lock.replace("sphinx==7", "sphinx==8"))
    assert found == set()
    assert any("sphinx" in sentence and "not installed" in sentence for sentence in said)


def test_a_list_that_leaves_out_what_is_needed_is_no_lock():
    found, said = chosen("requirements.txt", "click==8.0\n", "click==8.1\n")
    assert found == ALL
    assert any("without a lock file" in sentence for sentence in said)


def test_a_lock_of_another_environment_selects_all():
    found, said = chosen("requirements.txt", PINS.replace("click==8.0", "click==7.0"), PINS)
    assert found == ALL
    assert any("does not describe" in sentence for sentence in said)


def test_a_range_selects_all_unless_it_stays_around_what_is_installed():
    assert chosen("requirements.txt", "click>=7\n", "click<9\n")[0] == ALL
    assert chosen("requirements.txt", "click>=7\n", "click>=7.5\n")[0] == set()
    assert chosen("requirements.txt", "sphinx>=7\nfuro\n", "sphinx>=8\nfuro\n")[0] == set()
    assert chosen("requirements.txt", "sphinx>=7\n", "sphinx>=7\nmyst-parser\n")[0] == set()
    assert chosen("requirements.txt", "click>=7\n", "click>=7\nmyst-parser\n")[0] == ALL


def test_a_setting_that_names_it_selects_all():
    files = {"shop/settings.py": "APPS = ['yaml']\n"}
    base = recorded()
    recording = replace(
        base,
        files={**base.files, "shop/settings.py": "1"},
        tables={**base.tables, "shop/settings.py": table("shop/settings.py", *files.values()).to_json()},
        imports={**base.imports, "shop/settings.py": Trace({"shop/settings.py": bitmap([1])})},
    )
    found, said = chosen("requirements.txt", PINS, PINS.replace("pyyaml==6.0", "pyyaml==6.1"), recording)
    assert found == ALL
    assert any("named in a string" in sentence for sentence in said)


def test_a_program_that_a_test_starts_may_use_it():
    base = recorded()
    node = "tests/test_plain.py::test_plain"
    trace = Trace(processes=frozenset([Process("python3", True)]))
    test = base.tests[node]
    tests = {**base.tests, node: replace(test, steps=(*test.steps, Step(CALL, "", trace)))}
    found, _ = chosen(
        "requirements.txt", PINS, PINS.replace("mypy==1.10", "mypy==1.11"), replace(base, tests=tests)
    )
    assert found == {"about", "plain"}


@tomllib
def test_metadata_selects_who_reads_it():
    old = "[project]\nname = 'shop'\nversion = '1'\ndescription = 'a'\n"
    assert chosen("pyproject.toml", old, old.replace("'1'", "'2'"))[0] == {"about"}
    assert chosen("pyproject.toml", old, old + "[tool.black]\nx = 1\n")[0] == set()
    assert chosen("pyproject.toml", old, old + "[tool.pytest.ini_options]\nx = 1\n")[0] == ALL
    assert chosen("pyproject.toml", old, old + "[tool.pytest")[0] == ALL


def test_a_manifest_whose_text_is_not_known_selects_all():
    answer = selection.select(recorded(), [changes.compare("pyproject.toml", "1", "2")])
    assert len(answer.tests) == len(ALL)
    assert answer.widened


def test_a_setup_script_is_a_manifest():
    change = changes.compare("setup.py", "setup(name='a')\n", "setup(name='b')\n")
    assert len(selection.select(recorded(), [change]).tests) == len(ALL)
    change = manifests.told(change, b"setup(url='a')\n", b"setup(url='b')\n")
    assert {test.node.rpartition("_")[2] for test in selection.select(recorded(), [change]).tests} == {
        "about"
    }


def test_a_manifest_that_is_opened_selects_who_opens_it():
    base = recorded()
    node = "tests/test_plain.py::test_plain"
    test = base.tests[node]
    trace = Trace(opened=frozenset(["requirements.txt"]))
    tests = {**base.tests, node: replace(test, steps=(*test.steps, Step(CALL, "", trace)))}
    found, _ = chosen("requirements.txt", "mypy\n", "# a comment\nmypy\n", replace(base, tests=tests))
    assert found == {"plain"}
    read_by_pytest = replace(base, session=Trace(opened=frozenset(["requirements.txt"])))
    assert chosen("requirements.txt", "mypy\n", "# a comment\nmypy\n", read_by_pytest)[0] == set()
    by_conftest = replace(read_by_pytest, readers={"requirements.txt": frozenset([("conftest.py", 3)])})
    assert chosen("requirements.txt", "mypy\n", "# a comment\nmypy\n", by_conftest)[0] == ALL


UV = """version = 1
[[package]]
name = "shop"
version = "{own}"
source = {{ editable = "." }}
dependencies = [{needs}]

[[package]]
name = "click"
version = "{click}"
dependencies = [{{ name = "colorama"{marker} }}]

[[package]]
name = "colorama"
version = "0.4"

[[package]]
name = "pyyaml"
version = "6.0"

[[package]]
name = "extra"
version = "1.0"
"""
BOTH = '{ name = "click" }, { name = "pyyaml" }'
FIRST = {"own": "1", "needs": BOTH, "click": "8.0", "marker": ""}


def relocked(**after: str) -> tuple[set[str], list[str]]:
    return chosen("uv.lock", UV.format(**FIRST), UV.format(**{**FIRST, **after}))


@tomllib
def test_a_lock_selects_by_what_really_changed():
    assert relocked(click="8.1")[0] == {"web", "about"}
    assert relocked(own="2")[0] == {"about"}


@tomllib
def test_what_is_needed_no_more_may_be_gone():
    assert relocked(needs='{ name = "click" }')[0] == {"late", "about"}
    assert relocked(marker=", marker = \"sys_platform == 'win32'\"")[0] == {"web", "about"}


@tomllib
def test_what_is_needed_from_now_on_may_be_installed():
    assert relocked(needs=BOTH + ', { name = "extra" }')[0] == ALL
    assert relocked(needs='{ name = "click", extra = ["x"] }, { name = "pyyaml" }')[0] == ALL


@tomllib
def test_a_lock_tells_what_a_manifest_installs():
    lock = changes.compare("uv.lock", "1", "2")
    lock = manifests.told(lock, UV.format(**FIRST).encode(), UV.format(**{**FIRST, "click": "8.1"}).encode())
    project = b"[project]\nname = 'shop'\ndependencies = ['click>=8.0']\n"
    manifest = changes.compare("pyproject.toml", "1", "2")
    manifest = manifests.told(manifest, project, project.replace(b"8.0", b"8.1,<9"))
    answer = selection.select(recorded(), [lock, manifest])
    assert {test.node.rpartition("_")[2] for test in answer.tests} == {"web", "about"}
    assert len(selection.select(recorded(), [manifest]).tests) == len(ALL)


@pytest.mark.parametrize(
    ("now", "names"),
    [
        ({}, set()),
        ({"click": Distribution("8.1", ("click",))}, {"web", "about"}),
        ({"click": Distribution("8.0", ("click",), ())}, set()),
        ({"rich": Distribution("13", ("rich",))}, ALL),
        ({"ruff": Distribution("1", ())}, set()),
        ({"mypy": Distribution("1.10", ("mypy",), (), True)}, ALL),
        ({"pytest": Distribution("8.1", ("pytest", "_pytest"))}, ALL),
    ],
)
def test_what_is_installed_here_is_held_against_the_recording(now, names):
    answer = selection.select(recorded(), [], installed={**HELD, **now})
    assert {test.node.rpartition("_")[2] for test in answer.tests} == names


def test_what_is_installed_no_more_selects_who_imports_it():
    now = {name: each for name, each in HELD.items() if name != "pyyaml"}
    answer = selection.select(recorded(), [], installed=now)
    assert {test.node.rpartition("_")[2] for test in answer.tests} == {"late", "about"}


def test_a_recording_tells_what_was_loaded(new_project):
    project = new_project({"test_a.py": "import json\n\ndef test_a():\n    import fractions\n"})
    assert project.pytest("--maestro-record").status == 0
    assert {"json", "fractions", "test_a", "_pytest"} <= read(project.place).modules
