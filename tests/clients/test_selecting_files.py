"""Files that tests read, look for, list or keep: each edit is made, all tests are run, and all that fail
must be selected.
"""

from __future__ import annotations

import shutil

import pytest
from maestro_selection import changes
from maestro_selection.selection import Selector

SITE = """
import functools
import inspect
import json
import os
import pathlib

HERE = pathlib.Path(__file__).parent
_loaded = None


@functools.lru_cache(maxsize=None)
def settings():
    return json.loads((HERE / "settings.json").read_text())


def words():
    global _loaded
    if _loaded is None:
        _loaded = (HERE / "words.txt").read_text().split()
    return _loaded


def made():
    return [1, 2]


@functools.lru_cache(maxsize=None)
def early():
    return made()


FIRST = early()[0]


def theme(name):
    place = os.path.join(HERE, "themes", name)
    return name if os.path.isdir(place) else "default"


def license_there():
    return (HERE / "LICENSE").exists()


def size():
    return os.path.getsize(HERE / "words.txt")


def pages():
    return sorted(found.name for found in (HERE / "pages").rglob("*.txt"))


def plugins():
    return sorted(name for name in os.listdir(HERE / "plugins") if name.endswith(".py"))


def source():
    import plugins.one
    return inspect.getsource(plugins.one)
"""

TESTS = """
import pydoc
import subprocess
import sys

import site_of_pages as site


def test_settings():
    assert site.settings()["name"] == "a"

def test_settings_kept():
    assert site.settings()["title"] == "b"

def test_words():
    assert site.words()

def test_words_kept():
    assert site.words()[1] == "two"

def test_early():
    assert site.early() == [1, 2]

def test_theme():
    assert site.theme("dark") == "default"

def test_other_theme():
    assert site.theme("light") == "light"

def test_license():
    assert not site.license_there()

def test_size():
    assert site.size() == 8

def test_pages():
    assert site.pages() == ["a.txt"]

def test_plugins():
    assert site.plugins() == ["one.py"]

def test_source():
    assert "# A remark." in site.source()

def test_program():
    done = subprocess.run([sys.executable, "-m", "tool"], capture_output=True, text=True)
    assert done.stdout == "small\\n"

def test_spelled():
    assert pydoc.locate("shapes.Round").sides == 0

def test_spelled_with_a_method():
    assert pydoc.locate("shapes.Square")().area() == 4

def test_alone():
    assert 1 + 1 == 2
"""

SHAPES = """
class Round:
    sides = 0


class Square:
    def area(self):
        return 4


MADE = {"square": Square}
"""

TOOL = """
import os
print("large" if os.path.exists("tool_size.txt") else "small")
"""

FILES = {
    "site_of_pages.py": SITE,
    "settings.json": '{"name": "a", "title": "b"}',
    "words.txt": "one two\n",
    "themes/light/style.css": "",
    "pages/a.txt": "",
    "plugins/one.py": "# A remark.\nONE = 1\n",
    "tool.py": TOOL,
    "shapes.py": SHAPES,
    "tests/test_pages.py": TESTS,
}

EDITS: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "a file that a cache keeps": (
        {"settings.json": '{"name": "a"}'},
        {"test_settings", "test_settings_kept"},
    ),
    "a file that a global value keeps": (
        {"words.txt": "one 222\n"},
        {"test_words", "test_words_kept", "test_size"},
    ),
    "what an import left in a cache": ({"site_of_pages.py": SITE.replace("[1, 2]", "[1, 3]")}, set()),
    "a folder that comes": ({"themes/dark/style.css": ""}, {"test_theme"}),
    "a folder that goes": ({"themes/light/style.css": None}, {"test_other_theme"}),
    "a file that is looked for": ({"LICENSE": "free"}, {"test_license"}),
    "a file in a new folder of one that is walked": ({"pages/more/b.txt": ""}, {"test_pages"}),
    "a module that is listed": ({"plugins/two.py": "TWO = 2\n"}, {"test_plugins"}),
    "a remark in a text that is read": ({"plugins/one.py": "ONE = 1\n"}, {"test_source"}),
    "a class that a string spells": (
        {"shapes.py": SHAPES.replace("Round", "Oval")},
        {"test_spelled"},
    ),
    "a class that is gone": (
        {"shapes.py": SHAPES.partition("class Square")[0]},
        {"test_spelled_with_a_method"},
    ),
    "a file that another process looks for": ({"tool_size.txt": ""}, {"test_program"}),
}


@pytest.fixture(scope="module")
def pages(new_project):
    project = new_project(FILES)
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 0, ran.text
    return project, Selector(project.recording())


def edit(project, files: dict[str, str | None]) -> None:
    for path, text in files.items():
        if text is not None:
            project.write({path: text})
            continue
        (project.root / path).unlink()
        if not any((project.root / path).parent.iterdir()):
            shutil.rmtree((project.root / path).parent)


@pytest.mark.parametrize("name", EDITS)
def test_all_who_see_a_file_are_selected(pages, tmp_path, name):
    project, selector = pages
    files, expected = EDITS[name]
    found = selector.select([changes.compare(path, FILES.get(path), text) for path, text in files.items()])
    chosen = {test.node.partition("::")[2] for test in found.tests}
    copy = project.copied(tmp_path / "copy")
    edit(copy, files)
    ran, nodes = copy.failing()
    assert ran.status == 1, ran.text
    failed = {node.partition("::")[2] for node in nodes}
    assert failed
    assert failed <= chosen
    assert "test_alone" not in chosen
    if expected:
        assert chosen == expected
