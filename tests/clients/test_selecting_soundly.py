"""A small project in which most of what is hard happens: each edit is made, all tests are run, and all
that fail must be selected.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from maestro_selection import changes
from maestro_selection.selection import Selector

SHOP = '''
"""A shop."""
import functools
import json
import pathlib

RATES = {"a": 1, "b": 2}
DOUBLED = {name: 2 * rate for name, rate in RATES.items()}
LIMIT = 10
FACTOR = 3
REGISTRY = {}


def register(name):
    def taking(function):
        REGISTRY[name] = function
        return function
    return taking


@register("plain")
def plain(value):
    return value


@register("more")
def more(value):
    return value + 1


def priced(name, rates=RATES):
    return rates[name]


def capped(value, limit=LIMIT):
    if value > limit:
        return limit
    return value


class Base:
    tax = 1
    kind = "base"

    def __init__(self, price):
        self.price = price
        self.seen = 0

    def total(self):
        return self.price * self.tax

    def look(self):
        self.seen += 1
        return self.seen


class Special(Base):
    kind = "special"

    def total(self):
        return super().total() + 1


class Kept:
    _instance = None

    @classmethod
    def get(cls):
        if cls._instance is None:
            cls._instance = cls()
            cls._instance.fill()
        return cls._instance

    def fill(self):
        self.table = dict(RATES)

    def find(self, name):
        return self.table[name]


@functools.lru_cache(maxsize=None)
def slow(value):
    return value * FACTOR


def counted():
    for number in range(3):
        yield number


def careful(value):
    try:
        return int(value)
    except ValueError:
        return -1


def settings():
    return json.loads(pathlib.Path(__file__).with_name("settings.json").read_text())


def documented():
    """Says hello."""
    return 1


later = lambda value: value + 5
'''

TESTS = """
import pytest
import shop
from shop import Base, Kept, Special

MADE = Special(3)


@pytest.fixture
def base():
    return Base(4)


def test_rates():
    assert shop.RATES["a"] == 1

def test_doubled():
    assert shop.DOUBLED["b"] == 4

def test_priced():
    assert shop.priced("b") == 2

def test_capped():
    assert shop.capped(50) == 10

def test_not_capped():
    assert shop.capped(5) == 5

@pytest.mark.parametrize("name", sorted(shop.REGISTRY))
def test_registered(name):
    assert shop.REGISTRY[name](1) in (1, 2)

def test_more():
    assert shop.REGISTRY["more"](1) == 2

def test_base(base):
    assert base.total() == 4

def test_made():
    assert MADE.total() == 4

def test_kind():
    assert getattr(MADE, "kind") == "special"

def test_seen(base):
    assert base.look() == 1

def test_first_kept():
    assert Kept.get().find("a") == 1

def test_second_kept():
    assert Kept.get().find("b") == 2

def test_slow():
    assert shop.slow(2) == 6

def test_slow_again():
    assert shop.slow(2) == 6

def test_counted():
    assert list(shop.counted()) == [0, 1, 2]

def test_not_counted():
    assert shop.counted() is not None

def test_careful():
    assert shop.careful("5") == 5

def test_careless():
    assert shop.careful("x") == -1

def test_very_careless():
    with pytest.raises(TypeError):
        shop.careful(None)

def test_settings():
    assert shop.settings() == {"a": 1}

def test_documented():
    assert shop.documented.__doc__ == "Says hello."

def test_documented_result():
    assert shop.documented() == 1

def test_later():
    assert shop.later(1) == 6

def test_equal():
    assert Base(1) != Base(1)

def test_alone():
    assert 1 + 1 == 2
"""

FILES = {"shop.py": SHOP, "settings.json": '{"a": 1}', "tests/test_shop.py": TESTS}

EDITS = {
    "a table": ('"a": 1, "b": 2', '"a": 1, "b": 3'),
    "a key that is gone": ('"a": 1, "b": 2', '"b": 2'),
    "a derived table": ("2 * rate", "3 * rate"),
    "a default": ("LIMIT = 10", "LIMIT = 11"),
    "a signature": ("def capped(value, limit=LIMIT)", "def capped(value, limit=LIMIT - 1)"),
    "a decorator that is gone": ('@register("more")\n', ""),
    "a decorator": ('@register("more")', '@register("much")'),
    "a decorator's function": ("REGISTRY[name] = function", 'REGISTRY[name] = lambda value: "other"'),
    "a class attribute": ("    tax = 1\n", "    tax = 2\n"),
    "a class attribute that is gone": ('    kind = "special"\n', ""),
    "an override that is gone": ("    def total(self):\n        return super().total() + 1\n", ""),
    "a base": ("class Special(Base):", "class Special:"),
    "a plain attribute": ("self.seen = 0", "self.seen = 5"),
    "an operator": (
        "    def look(self):",
        "    def __eq__(self, other):\n        return True\n\n    def look(self):",
    ),
    "what is kept for others": ("self.table = dict(RATES)", "self.table = {}"),
    "what a cache keeps": ("return value * FACTOR", "return value * FACTOR + 1"),
    "what a cache reads": ("FACTOR = 3", "FACTOR = 4"),
    "a generator that is none": ("        yield number\n", "        number += 1\n"),
    "a handler": ("except ValueError:", "except KeyError:"),
    "a new handler": ("        return -1\n", "        return -1\n    except TypeError:\n        return -2\n"),
    "a docstring": ("Says hello.", "Says goodbye."),
    "a lambda": ("value + 5", "value + 6"),
    "a function that is gone": ("def documented():", "def undocumented():"),
    "an import that is gone": ("import json\n", ""),
    "an import that fails": ("import json\n", "import json\nimport no_such_thing\n"),
    "a value that fails": ("REGISTRY = {}\n", "REGISTRY = {}\nUNREAD = [][1]\n"),
    "a name that comes too late": ("FACTOR = 3\n", "FACTOR = LATER\nLATER = 3\n"),
    "an annotation that fails": ("def counted():", "def counted() -> str % None:"),
}

EXPECTED = {
    "a derived table": {"test_doubled"},
    "a default": {"test_capped", "test_not_capped"},
    "a plain attribute": {"test_seen"},
    "a docstring": {"test_documented"},
    "a handler": {"test_careless", "test_very_careless"},
    "a lambda": {"test_later"},
    "an import that is gone": {"test_settings"},
}


@pytest.fixture(scope="module")
def shop(new_project):
    project = new_project(FILES)
    ran = project.pytest("-q", "--maestro-record")
    assert ran.status == 0, ran.text
    return project, Selector(project.recording())


def failing(project, folder: Path, files) -> set[str]:
    """Tests that fail when these files are otherwise."""
    copy = project.copied(folder)
    copy.write(files)
    ran, failed = copy.failing()
    assert ran.status in (0, 1, 2), ran.text
    if ran.status == 2:  # the module of the tests cannot be imported
        return {"tests/test_shop.py"}
    return failed


@pytest.mark.parametrize("name", EDITS)
def test_all_that_fail_after_an_edit_are_selected(shop, tmp_path, name):
    project, selector = shop
    before, after = EDITS[name]
    assert SHOP.count(before) == 1
    edited = SHOP.replace(before, after)
    found = selector.select([changes.compare("shop.py", SHOP, edited)])
    chosen = {test.node for test in found.tests}
    failed = failing(project, tmp_path / "copy", {"shop.py": edited})
    assert failed, "an edit that nothing shows proves nothing"
    if failed == {"tests/test_shop.py"}:
        assert chosen
    else:
        assert failed <= chosen
    if name in EXPECTED:
        assert {node.split("::")[1] for node in chosen} == EXPECTED[name]
    assert "tests/test_shop.py::test_alone" not in chosen or failed == {"tests/test_shop.py"}


@pytest.mark.parametrize("name", ["an import that fails", "a value that fails", "an annotation that fails"])
def test_an_import_that_may_fail_is_shown_by_one_test(shop, name):
    _, selector = shop
    found = selector.select([changes.compare("shop.py", SHOP, SHOP.replace(*EDITS[name]))])
    assert len(found.tests) == 1
    assert "no other would show that this fails" in found.tests[0].reasons[0][1]


def test_what_cannot_fail_needs_no_test_to_show_it(shop):
    _, selector = shop
    for added in ("UNREAD = 1\n", "def unread(value):\n    return value.missing\n", "class Unread: pass\n"):
        edited = SHOP.replace("REGISTRY = {}\n", "REGISTRY = {}\n" + added)
        assert selector.select([changes.compare("shop.py", SHOP, edited)]).tests == ()


def test_a_data_file_selects_who_opened_it(shop):
    _, selector = shop
    found = selector.select([changes.compare("settings.json", "old", "new")])
    assert [test.node for test in found.tests] == ["tests/test_shop.py::test_settings"]


def test_a_manifest_selects_all_and_says_so(shop):
    _, selector = shop
    found = selector.select([changes.compare("requirements.txt", "old", "new")])
    assert not found.skipped
    assert any("requirements.txt" in said for said in found.widened)


def test_every_test_has_a_path_and_every_other_one_an_answer(shop):
    _, selector = shop
    found = selector.select([changes.compare("shop.py", SHOP, SHOP.replace("value + 5", "value + 6"))])
    (test,) = found.tests
    assert test.reasons[0][0].startswith("shop.py:")
    assert test.reasons[0][-1] == test.node == "tests/test_shop.py::test_later"
    assert "none that changed" in found.explain("tests/test_shop.py::test_capped")[0][0]
    assert "nothing of the files" in found.explain("tests/test_shop.py::test_alone")[0][0]


def test_the_fewest_touch_every_change(shop):
    _, selector = shop
    edited = SHOP.replace("value + 5", "value + 6").replace("range(3)", "range(4)")
    change = changes.compare("shop.py", SHOP, edited)
    found = selector.select([change], mode="minimal")
    assert {test.node.split("::")[1] for test in found.tests} == {"test_later", "test_counted"}
    assert any("touch every change" in note for note in found.notes)


def test_a_budget_of_nothing_says_that_all_is_missed(shop):
    _, selector = shop
    change = changes.compare("shop.py", SHOP, SHOP.replace("value + 5", "value + 6"))
    found = selector.select([change], mode="budget", seconds=0.0)
    assert not found.tests
    assert any("100%" in note for note in found.notes)
