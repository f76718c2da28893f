"""What frameworks add: facts and calls from small programs, and records from odd sources."""

import ast
import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.facts import Hyperedge, Node, Scope
from graph.ingest.python import configuration, fixtures, frameworks, scopes, syntax
from graph.ingest.python.program import Program
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Tier


class Linked:
    """A program read from texts, and what frameworks add to it, by names."""

    def __init__(self, files):
        records = {
            path: syntax.parse(path, text.encode()) for path, text in files.items() if path.endswith(".py")
        }
        self.program = Program(Scope("t", "r"), records)
        settings = {path: text.encode() for path, text in files.items() if configuration.wanted(path)}
        table = fixtures.table(self.program, configuration.read(settings))
        own = scopes.link(self.program)
        self.extension = frameworks.link(self.program, table, own.calls, own.facts)

    def name(self, target):
        return self.program.definition(target).qualname

    def calls(self, form, tier=None):
        return {
            (self.name(call.caller), self.name(target))
            for call in self.extension.calls
            if call.form is form and (tier is None or call.tier is tier)
            for target in call.targets
        }

    def edges(self, kind):
        found = set()
        for fact in self.extension.facts:
            if isinstance(fact, Hyperedge) and fact.kind is kind:
                members = [
                    (member.role, member.key.rpartition("::")[2] or member.key) for member in fact.members
                ]
                found.add((tuple(members), fact.tier, dict(fact.props).get("how", "")))
        return found


def edge(*members, tier, how=""):
    return tuple(members), tier, how


def test_wrapper_of_a_decorator():
    found = Linked(
        {
            "a.py": (
                "from functools import wraps\n"
                "def deco(f):\n    @wraps(f)\n    def wrapper(*a, **k):\n        return f(*a, **k)\n"
                "    return wrapper\n"
                "def factory(n):\n    def outer(f):\n        def inner(*a):\n            return f(*a)\n"
                "        return inner\n"
                "    return outer\n"
                "class Klass:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self):\n"
                "        return self.f()\n"
                "@deco\ndef one(): pass\n@factory(3)\ndef two(): pass\n@Klass\ndef three(): pass\n"
                "def caller():\n    one()\n    two()\n"
            )
        }
    )
    wrapped = found.calls(Form.WRAPPER, Tier.TYPED)
    assert {
        ("caller", "deco.<locals>.wrapper"),
        ("deco.<locals>.wrapper", "one"),
        ("caller", "factory.<locals>.outer.<locals>.inner"),
        ("factory.<locals>.outer.<locals>.inner", "two"),
        ("Klass.__call__", "three"),
    } <= wrapped
    assert ("deco.<locals>.wrapper", "two") not in wrapped
    assert ("<module>", "factory.<locals>.outer") in found.calls(Form.DECORATING)


def test_update_wrapper_and_cast_are_seen_through():
    found = Linked(
        {
            "a.py": (
                "import typing as t\nfrom functools import update_wrapper\n"
                "F = t.TypeVar('F')\n"
                "def checked(f):\n    def wrapper_func(self, *args):\n        return f(self, *args)\n"
                "    return t.cast(F, update_wrapper(wrapper_func, f))\n"
                "class A:\n    @checked\n    def go(self): pass\n"
                "def caller(a: A):\n    a.go()\n"
            )
        }
    )
    assert {
        ("checked.<locals>.wrapper_func", "A.go"),
        ("caller", "checked.<locals>.wrapper_func"),
    } <= found.calls(Form.WRAPPER)


APP = (
    "class Scaffold:\n"
    "    def __init__(self):\n        self.before = {}\n        self.views = {}\n"
    "    def before_request(self, f):\n        self.before.setdefault(None, []).append(f)\n        return f\n"
    "    def route(self, rule):\n"
    "        def decorator(f):\n            self.add(rule, f)\n            return f\n"
    "        return decorator\n"
    "    def add(self, rule, view_func): raise NotImplementedError\n"
    "class App(Scaffold):\n"
    "    def add(self, rule, view_func):\n        self.views[rule] = view_func\n"
    "    def sync(self, func):\n        if func:\n            return outside(func)\n        return func\n"
    "    def run(self, name):\n"
    "        for func in self.before[name]:\n            self.sync(func)()\n"
    "        return self.sync(self.views[name])(1)\n"
)


def test_lists_and_tables_filled_by_decorators():
    found = Linked(
        {
            "lib.py": APP,
            "main.py": (
                "from lib import App\napp = App()\n@app.before_request\ndef first(): pass\n"
                "@app.route('/')\ndef view(): pass\ndef other(): pass\napp.add('/x', view_func=other)\n"
                "def unrelated(): pass\n"
            ),
        }
    )
    kept = {callee for caller, callee in found.calls(Form.HANDED, Tier.HIERARCHY) if caller == "App.run"}
    assert kept == {"first", "view", "other"}
    registered = found.edges(EdgeKind.REGISTERS)
    assert (
        edge(
            ("registry", "app"),
            ("registered", "first"),
            ("registered", "view"),
            tier=Tier.TYPED,
            how="decorator",
        )
        in registered
    )
    assert edge(("registry", "app"), ("registered", "other"), tier=Tier.TYPED, how="call") in registered


def test_registry_is_the_attribute_where_the_object_has_no_name():
    found = Linked(
        {
            "lib.py": APP,
            "main.py": "from lib import App\ndef make(app: App):\n    app.add('/', view)\ndef view(): pass\n",
        }
    )
    assert edge(
        ("registry", "Scaffold.views"), ("registered", "view"), tier=Tier.TYPED, how="call"
    ) in found.edges(EdgeKind.REGISTERS)


def test_what_tests_register_is_possible_only():
    found = Linked(
        {
            "lib.py": APP,
            "test_main.py": (
                "from lib import App\ndef test_it():\n    app = App()\n    @app.before_request\n"
                "    def local(): pass\n"
            ),
        }
    )
    assert ("App.run", "test_it.<locals>.local") in found.calls(Form.HANDED, Tier.AMBIGUOUS)
    assert not [pair for pair in found.calls(Form.HANDED, Tier.HIERARCHY) if pair[0] == "App.run"]
    assert ("test_it", "Scaffold.before_request") not in found.calls(Form.WRAPPER)


def test_module_tables_and_partials():
    found = Linked(
        {
            "a.py": (
                "from functools import partial\n"
                "def x(): pass\ndef y(): pass\ndef z(): pass\n"
                "TABLE = {'x': x}\nTABLE['y'] = y\nhooks = []\nhooks.append(z)\n"
                "def run(name):\n    TABLE[name]()\n    TABLE.get(name)()\n"
                "def each():\n    for hook in hooks:\n        hook()\n"
                "def later(f):\n    return partial(f, 1)\n"
                "def use():\n    later(z)()\n"
            )
        }
    )
    handed = found.calls(Form.HANDED, Tier.HIERARCHY)
    assert {("run", "x"), ("run", "y"), ("each", "z"), ("later", "z"), ("use", "z")} <= handed
    assert ("run", "z") not in handed
    assert edge(
        ("registry", "TABLE"), ("registered", "x"), ("registered", "y"), tier=Tier.TYPED, how="table"
    ) in found.edges(EdgeKind.REGISTERS)


def test_strings_that_frameworks_read():
    found = Linked(
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "import os\nvalue = 1\nclass K:\n    def m(self): pass\n",
            "pkg/settings.py": "INSTALLED_APPS = ['pkg.a', 'outside.app']\nMIDDLEWARE = ['pkg.a.K']\n"
            "OTHER = ['pkg.a.value']\n",
            "pkg/b.py": (
                "from importlib import import_module\nfrom pkg import a\n"
                "def load():\n    import_module('pkg.a')\n    import_module('.a', 'pkg')\n"
                "    symbol_by_name('pkg.a:K')\n"
                "    print('pkg.a.value')\n"
                "def look():\n    return getattr(a, 'value')\n"
            ),
            "test_a.py": (
                "from unittest import mock\nfrom unittest.mock import patch\nfrom pkg import a\n"
                "def test_it(monkeypatch, mocker):\n    monkeypatch.setattr('pkg.a.value', 2)\n"
                "    monkeypatch.setattr(a.K, 'm', None)\n    mocker.patch('pkg.a.os.getcwd')\n"
                "@patch('pkg.a.K.m')\ndef test_patched(m): pass\n"
                "def test_object():\n    with mock.patch.object(a, 'value', 3): pass\n"
            ),
        }
    )
    references = {members for members, tier, _ in found.edges(EdgeKind.REFERENCES) if tier is Tier.EXACT}
    assert (("reader", "load"), ("target", "<module>"), ("target", "K")) in references
    assert (("reader", "look"), ("target", "value")) in references
    assert any(("target", "K") in members and ("reader", "<module>") in members for members in references)
    assert not any(("reader", "load") in members and ("target", "value") in members for members in references)
    patched = {members for members, _, _ in found.edges(EdgeKind.PATCHES)}
    assert {
        (("patcher", "test_it"), ("target", "value")),
        (("patcher", "test_it"), ("target", "K.m")),
        (("patcher", "test_it"), ("target", "<module>")),
        (("patcher", "test_object"), ("target", "value")),
    } <= patched
    assert any(("target", "K.m") in members and "it" not in members[0][1] for members in patched)


def test_realises_and_parametrizes():
    found = Linked(
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef app(): pass\n"
            "def pytest_configure(config): pass\n",
            "tests/conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef clean(): pass\n",
            "tests/test_a.py": (
                "class Base:\n    def setup_method(self): pass\n    def test_x(self, app): pass\n"
                "class TestA(Base):\n    pass\nclass TestB(Base):\n    pass\n"
            ),
        }
    )
    nodes = {fact.key: dict(fact.props) for fact in found.extension.facts if isinstance(fact, Node)}
    assert nodes["t/r:tests/test_a.py::TestA::test_x"] == {
        "framework": "pytest", "name": "TestA::test_x", "parametrized": False, "path": "tests/test_a.py",
    }  # fmt: skip
    realises = [f for f in found.extension.facts if isinstance(f, Hyperedge) and f.kind is EdgeKind.REALISES]
    a, b = "t/r:tests/test_a.py::TestA", "t/r:tests/test_a.py::TestB"
    above = ["t/r:conftest.py::<module>", "t/r:tests/conftest.py::<module>", "t/r:tests/test_a.py::<module>"]
    assert [[(member.role, member.kind, member.key) for member in one.members] for one in realises] == [
        *(
            [
                ("test", NodeKind.TEST, f"{klass}::test_x"),
                ("symbol", NodeKind.SYMBOL, "t/r:tests/test_a.py::Base.test_x"),
            ]
            for klass in (a, b)
        ),
        *(
            [
                ("test", NodeKind.TEST, f"{klass}::test_x"),
                *(("module", NodeKind.SYMBOL, key) for key in (*above, klass)),
            ]
            for klass in (a, b)
        ),
    ]
    assert found.edges(EdgeKind.PARAMETRIZES) == {
        edge(("user", "Base.test_x"), ("fixture", fixture), tier=Tier.EXACT, how=how)
        for fixture, how in (("app", "parameter"), ("clean", "autouse"), ("Base.setup_method", "setup"))
    }
    hooks = [call for call in found.extension.calls if call.resolver is Resolver.PYTEST]
    assert [(call.caller.path, found.name(call.targets[0]), call.tier) for call in hooks] == [
        ("conftest.py", "pytest_configure", Tier.HIERARCHY)
    ]


def test_what_runs_before_tests_is_said_once_a_class_or_module():
    found = Linked(
        {
            "conftest.py": "import os\n",
            "test_a.py": "def test_b(): pass\ndef test_a(): pass\n"
            "class TestC:\n    def test_y(self): pass\n    def test_x(self): pass\n",
        }
    )
    realises = [f for f in found.extension.facts if isinstance(f, Hyperedge) and f.kind is EdgeKind.REALISES]
    before = [
        [m.key.partition(":")[2] for m in one.members] for one in realises if one.members[1].role != "symbol"
    ]
    assert before == [
        ["test_a.py::test_a", "test_a.py::test_b", "conftest.py::<module>", "test_a.py::<module>"],
        [
            *("test_a.py::TestC::test_x", "test_a.py::TestC::test_y"),
            *("conftest.py::<module>", "test_a.py::<module>", "test_a.py::TestC"),
        ],
    ]


def test_descriptors_aliases_and_metaclasses():
    found = Linked(
        {
            "a.py": (
                "class Field:\n    def __get__(self, obj, owner=None): pass\n"
                "    def __set__(self, obj, value): pass\n"
                "class Meta(type):\n    def __new__(cls, *a): return type.__new__(cls, *a)\n"
                "class Thing(metaclass=Meta):\n    field = Field()\n"
                "def read(): return Thing.field\n"
            )
        }
    )
    implicit = found.calls(Form.IMPLICIT)
    assert {
        ("Thing.field", "Field.__get__"),
        ("Thing.field", "Field.__set__"),
        ("read", "Field.__get__"),
    } <= implicit
    assert ("Thing", "Meta.__new__") in found.calls(Form.WRAPPER)
    assert ("<module>", "Meta.__new__") in found.calls(Form.DECORATING)


def test_entry_points_and_broken_configuration():
    found = Linked(
        {
            "a.py": "def main(): pass\n",
            "pyproject.toml": "[project.scripts]\nrun = 'a:main'\ngone = 'nowhere:main'\n",
            "sub/pytest.ini": "broken\n",
        }
    )
    ((members, tier, how),) = found.edges(EdgeKind.REGISTERS)
    assert members == (("registry", "t/r:pyproject.toml"), ("registered", "main"))
    assert (tier, how) == (Tier.EXACT, "entry point console_scripts: run")
    diagnoses = [
        fact for fact in found.extension.facts if isinstance(fact, Node) and fact.kind is NodeKind.DIAGNOSIS
    ]
    assert [fact.key for fact in diagnoses] == ["t/r:sub/pytest.ini!python.configuration"]


def test_recursion_through_values_ends():
    found = Linked(
        {
            "a.py": (
                "def f(g):\n    h = g\n    g = h\n    h()\n    return f(h)\n"
                "def k():\n    return k()\nx = k()\nx()\nf(f)\nf(k)\n"
                "T = {}\nT['a'] = T\nT['a']()\n"
            )
        }
    )
    assert ("f", "k") in found.calls(Form.HANDED)


def test_deep_nesting_leaves_the_rest():
    depth = 3000
    tree = ast.parse("def before(): pass\n")
    node = ast.Name("x", ast.Load())
    for _ in range(depth):
        node = ast.UnaryOp(ast.Not(), node)
    tree.body.append(ast.Expr(node, lineno=2, col_offset=0))
    definitions = syntax.parse("a.py", b"def before(): pass\n").definitions
    record = frameworks.collect(tree, definitions)
    assert record.cut == [2]
    assert [function.place for function in record.functions] == [1]


SNIPPETS = st.lists(
    st.sampled_from(
        [
            "x = [f, g]",
            "x[0] = f",
            "x.append(g)",
            "for y in x: y()",
            "with f() as z: z()",
            "f = g = h",
            "f(*x, **y)",
            "x = lambda: f(1)",
            "x = f if g else h",
            "(a := f)()",
            "x = {k: v for k, v in y.items()}",
            "del x",
            "import a.b as c",
            "from . import d",
            "x += [f]",
            "class C(f, metaclass=g):\n    a = f()\n    b = a",
            "@f\n@g(1)\n@pytest.mark.parametrize('a,b', x, indirect=['a'])\n"
            "def h(a, /, b, *c, d=1, **e):\n    return a(b)",
            "@pytest.fixture(name='q', params=x, autouse=flag)\nasync def i():\n    yield f\n    await g()",
            "pytest_plugins = ('a', 'b' 'c')",
            "pytestmark = pytest.mark.usefixtures('a')",
            "x = f'{g()}'",
            "match x:\n    case [y] if f(y):\n        g()",
            "try:\n    f()\nexcept* E:\n    g()",
            "return_ = super().x",
        ]
    ),
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(SNIPPETS)
def test_any_code_is_collected_and_linked(snippets):
    text = "\n".join(snippets) + "\n"
    found = Linked({"test_a.py": text, "conftest.py": text})
    for record in found.program.records.values():
        assert record.frameworks is not None
        again = msgspec.msgpack.decode(
            msgspec.msgpack.encode(record.frameworks), type=frameworks.FrameworkRecord
        )
        assert again == record.frameworks
    known = found.program.records
    for call in found.extension.calls:
        for target in (call.caller, *call.targets):
            assert 0 <= target.place < len(known[target.path].definitions)
    for fact in found.extension.facts:
        if isinstance(fact, Hyperedge):
            assert len(fact.digest()) == 32


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=string.printable, max_size=300).map(str.encode) | st.binary(max_size=200))
@pytest.mark.parametrize("name", [*configuration.NAMES, "setup.py"])
def test_any_configuration_is_read_or_said(name, data):
    found = configuration.read({name: data})
    assert len(found.unread) <= 1
