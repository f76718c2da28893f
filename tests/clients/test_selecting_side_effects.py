"""What the import of a file does to values that it did not make: each edit is made, all tests are run, and
all that fail must be selected.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from maestro_selection import changes
from maestro_selection.selection import Selector

SHOP = """
import argparse
import configparser
import decimal
import mimetypes
import os
import urllib.parse as parse
from email.charset import ALIASES
from string import Template

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--size", default="small")
CONFIG = configparser.ConfigParser()
CONFIG.read_string("[shop]\\nopen = yes")
mimetypes.add_type("text/x-shop", ".shop")
if "shop" not in parse.uses_netloc:
    parse.uses_netloc.append("shop")
os.environ["SHOP_MODE"] = "plain"
ALIASES["shop"] = "latin-1"
Template.flags = 2
setattr(decimal.DefaultContext, "prec", 7)


class Settings:
    size = 0


def configure(settings, size):
    settings.size = size


def set_up():
    mimetypes.add_type("text/x-up", ".up")


class Registry:
    def __init__(self):
        self.names = []

    def enter(self, name):
        self.names = [*self.names, name]


SETTINGS = Settings()
configure(SETTINGS, 3)
set_up()
REGISTRY = Registry()
REGISTRY.enter("first")


def unrelated():
    return 1
"""

TESTS = """
import decimal
import mimetypes
import os
import urllib.parse
from email.charset import Charset
from string import Template

import shop


def test_default():
    assert shop.PARSER.parse_args([]).size == "small"

def test_read():
    assert shop.CONFIG["shop"]["open"] == "yes"

def test_type():
    assert mimetypes.guess_type("a.shop")[0] == "text/x-shop"

def test_put_in():
    assert urllib.parse.urlunsplit(("shop", "", "x", "", "")) == "shop:///x"

def test_variable():
    assert os.environ["SHOP_MODE"] == "plain"

def test_item():
    assert Charset("shop").input_charset == "latin-1"

def test_attribute():
    assert Template.flags == 2

def test_set_by_name():
    assert decimal.DefaultContext.prec == 7

def test_given():
    assert shop.SETTINGS.size == 3

def test_set_up():
    assert mimetypes.guess_type("a.up")[0] == "text/x-up"

def test_registry():
    assert shop.REGISTRY.names == ["first"]

def test_unrelated():
    assert shop.unrelated() == 1
"""

APART = """
def test_apart():
    pass
"""

FILES = {"shop.py": SHOP, "tests/test_shop.py": TESTS, "tests/test_apart.py": APART}

EDITS = {
    "a call on an object from elsewhere": ('default="small"', 'default="large"'),
    "a call that is gone": ('CONFIG.read_string("[shop]\\nopen = yes")\n', ""),
    "a call of a module from elsewhere": ('("text/x-shop", ".shop")', '("text/x-shop", ".shops")'),
    "what goes into a list from elsewhere": ('netloc.append("shop")', 'netloc.append("shops")'),
    "what is not put in any more": (
        'if "shop" not in parse.uses_netloc:\n    parse.uses_netloc.append("shop")\n',
        "",
    ),
    "a condition around it": ('if "shop" not in parse', 'if "http" not in parse'),
    "an environment variable": ('["SHOP_MODE"] = "plain"', '["SHOP_MODE"] = "other"'),
    "an item of a table from elsewhere": ('ALIASES["shop"] = "latin-1"', 'ALIASES["shop"] = "utf-8"'),
    "an attribute of a class from elsewhere": ("Template.flags = 2", "Template.flags = 0"),
    "an attribute that is set by its name": ('"prec", 7)', '"prec", 8)'),
    "what is given": ("configure(SETTINGS, 3)", "configure(SETTINGS, 4)"),
    "a function that alters what it is given": ("settings.size = size", "settings.size = size + 1"),
    "a function that alters what is elsewhere": ('("text/x-up", ".up")', '("text/x-up", ".ups")'),
    "a call of it that is gone": ("\nset_up()\n", "\n"),
    "a call on an object": ('REGISTRY.enter("first")', 'REGISTRY.enter("second")'),
    "a call on an object that is gone": ('REGISTRY.enter("first")\n', ""),
    "a method that import calls": ("[*self.names, name]", "[name, *self.names, name]"),
}
EVERYONE = "a call of a module from elsewhere"
"""What is altered outside of the repository can be seen by whoever imports the file."""


BARE = """
import argparse
import mimetypes

from parts import TABLE as table, MAKER, Holder

PARSER = argparse.ArgumentParser()
OPEN = False
MODE = "closed"
if OPEN:
    MODE = "open"


def current():
    return MAKER


def choose(size):
    chosen = current()
    chosen.size = size


def name_types():
    mimetypes.add_type("text/x-bare", ".bare")


choose(3)
"""

PARTS = """
import typing

if typing.TYPE_CHECKING:
    import rarely


class Holder:
    def __init__(self):
        self.size = 0
        self.parts = []


TABLE = {}
MAKER = Holder()
"""

RARELY = """
def seldom(count: int):
    return count
"""

RARELY_TESTS = """
import time
import rarely


def test_seldom():
    time.sleep(0.2)
"""

BARE_TESTS = """
import mimetypes
import socket

import bare
import parts


def test_size():
    assert parts.MAKER.size == 3

def test_mode():
    assert bare.MODE == "closed"

def test_options():
    assert vars(bare.PARSER.parse_args([])) == {}

def test_type():
    assert mimetypes.guess_type("a.bare")[0] is None

def test_wait():
    assert socket.getdefaulttimeout() is None

def test_table():
    assert parts.TABLE == {}

def test_parts():
    assert parts.MAKER.parts == []
"""

ADDED = {
    "a branch that never ran": ("OPEN = False", "OPEN = True"),
    "what a function gives it is set on": ("chosen.size = size", "chosen.size = size + 1"),
    "a call on an object from elsewhere": ("choose(3)\n", 'choose(3)\nPARSER.add_argument("--new")\n'),
    "a call of a module from elsewhere": (
        "choose(3)\n",
        'choose(3)\nmimetypes.add_type("text/x", ".bare")\n',
    ),
    "a call that alters what is elsewhere": ("choose(3)\n", "choose(3)\nname_types()\n"),
    "a value that alters what is elsewhere": ("choose(3)\n", "choose(3)\nNAMED = name_types()\n"),
    "an import with its call": ("choose(3)\n", "choose(3)\nimport socket\nsocket.setdefaulttimeout(9)\n"),
    "a value of another file by another name": ("choose(3)\n", 'choose(3)\ntable["new"] = 1\n'),
    "a call on what a value of another file holds": ("choose(3)\n", "choose(3)\nMAKER.parts.append(1)\n"),
}


@pytest.fixture(scope="module")
def bare(new_project):
    project = new_project(
        {
            "bare.py": BARE,
            "parts.py": PARTS,
            "rarely.py": RARELY,
            "tests/test_bare.py": BARE_TESTS,
            "tests/test_rarely.py": RARELY_TESTS,
        }
    )
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 0, ran.text
    return project, Selector(project.recording())


@pytest.fixture(scope="module")
def shop(new_project):
    project = new_project(FILES)
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 0, ran.text
    return project, Selector(project.recording())


def failing(project, folder: Path, path: str, edited: str) -> set[str]:
    copy = project.copied(folder)
    copy.write({path: edited})
    ran, failed = copy.failing()
    assert ran.status == 1, ran.text
    return failed


@pytest.mark.parametrize("name", EDITS)
def test_all_that_fail_after_an_edit_are_selected(shop, tmp_path, name):
    project, selector = shop
    before, after = EDITS[name]
    assert SHOP.count(before) == 1
    edited = SHOP.replace(before, after)
    failed = failing(project, tmp_path / "copy", "shop.py", edited)
    chosen = {test.node for test in selector.select([changes.compare("shop.py", SHOP, edited)]).tests}
    assert failed <= chosen
    assert "tests/test_apart.py::test_apart" not in chosen


@pytest.mark.parametrize("name", ADDED)
def test_all_that_fail_after_something_is_put_in_are_selected(bare, tmp_path, name):
    project, selector = bare
    before, after = ADDED[name]
    assert BARE.count(before) == 1
    edited = BARE.replace(before, after)
    failed = failing(project, tmp_path / "copy", "bare.py", edited)
    chosen = {test.node for test in selector.select([changes.compare("bare.py", BARE, edited)]).tests}
    assert failed <= chosen


def test_what_is_altered_elsewhere_is_said_to_widen(shop):
    _, selector = shop
    found = selector.select([changes.compare("shop.py", SHOP, SHOP.replace(*EDITS[EVERYONE]))])
    assert any("not of this repository" in said for said in found.widened)


@pytest.mark.parametrize("after", ["count: int % str", "count=None[0]"])
def test_what_fails_when_it_is_imported_is_shown_by_a_test_that_really_imports_it(bare, after):
    _, selector = bare
    edited = RARELY.replace("count: int", after)
    found = selector.select([changes.compare("rarely.py", RARELY, edited)])
    # Others are quicker, and name it in an import that only type checkers see.
    assert [test.node for test in found.tests] == ["tests/test_rarely.py::test_seldom"]
