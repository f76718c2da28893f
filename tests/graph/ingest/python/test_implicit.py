"""What the language runs by itself of an operand's class, and what is fetched by a part of its name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.facts import Batch
from graph.ingest.python import reader, syntax
from graph.ingest.python.operations import RUNS
from graph.schema import EdgeKind, Form, Tier
from tests.graph.ingest.python.test_reader import SCOPE, File


def read(files: Mapping[str, str], cache: Path, engine: bool = True) -> Batch:
    data = {path: text.encode() for path, text in files.items()}
    ids = {path: sha1(content).hexdigest() for path, content in data.items()}
    contents = {ids[path]: content for path, content in data.items()}
    sources = [File(path, ids[path], len(data[path]), "python") for path in data]
    return reader.read(SCOPE, sources, contents.__getitem__, cache, engine=engine)


def called(batch: Batch, *forms: Form) -> dict[str, dict[str, Tier | None]]:
    """By caller: what it calls in these forms, each as `Class.method` or a function's name, with tiers."""
    found: dict[str, dict[str, Tier | None]] = {}
    for edge in batch.edges:
        if edge.kind is EdgeKind.CALLS and edge.form in forms:
            caller, *callees = (member.key.rpartition("::")[2] for member in edge.members)
            found.setdefault(caller, {}).update(dict.fromkeys(callees, edge.tier))
    return found


METHODS = """
    __bool__ __len__ __eq__ __hash__ __str__ __repr__ __format__ __iter__ __next__ __contains__ __delitem__
    __radd__ __rmod__ __neg__ __pos__ __invert__ __lt__ __ge__ __int__ __float__ __complex__ __index__
    __bytes__ __round__ __abs__ __dir__ __reversed__ __fspath__ __await__ __copy__ __deepcopy__ __reduce__
    __setstate__ __divmod__ __getitem__ keys
"""
CASES = {
    "if v: pass": "__bool__",
    "while v: break": "__bool__",
    "assert v": "__bool__",
    "return not v": "__bool__",
    "return v and 1": "__bool__",
    "return 1 if v else 2": "__bool__",
    "return bool(v)": "__bool__",
    "return [x for x in () if v]": "__bool__",
    "return (x := v) is None or len(v)": "__len__",
    "return v == 1": "__eq__",
    "return 1 != v": "__eq__",
    "return v < 1": "__lt__",
    "return 1 > v": "__lt__",
    "return 0 <= v": "__ge__",
    "return 1 in v": "__contains__",
    "return v not in (1, 2)": "__eq__",
    "return v is None": "",
    "match v:\n        case 1: pass": "__eq__",
    "return hash(v)": "__hash__",
    "return {v: 1}": "__hash__ __eq__",
    "return {v}": "__hash__ __eq__",
    "return {}[v]": "__hash__ __eq__",
    "return {v: 1 for _ in ()}": "__hash__ __eq__",
    "return str(v)": "__str__",
    "return repr(v)": "__repr__",
    'return f"{v}"': "__format__",
    'return f"{v!s} {v!r}"': "__str__ __repr__",
    "return format(v)": "__format__",
    'return "{} {x}".format(v, x=v)': "__format__",
    'return "%s" % v': "__rmod__ __str__",
    'return "%r %d" % (v, 1)': "__str__ __repr__",
    "print(1, v)": "__str__",
    "return list(v)": "__iter__ __next__ __len__",
    "return sorted(v)": "__iter__ __next__ __len__",
    "return [*v]": "__iter__ __next__",
    "a, b = v": "__iter__ __next__",
    "yield from v": "__iter__ __next__",
    'return ",".join(v)': "__iter__ __next__",
    "return map(str, v)": "__iter__ __next__",
    "return zip((), v)": "__iter__ __next__",
    "return any(v)": "__iter__ __next__",
    "return dict(**v)": "keys __getitem__",
    "del v[0]": "__delitem__",
    "return 1 + v": "__radd__",
    "return -v": "__neg__",
    "return +v": "__pos__",
    "return ~v": "__invert__",
    "return int(v)": "__int__",
    "return float(v)": "__float__",
    "return complex(v)": "__complex__",
    "return range(v)": "__index__",
    "return bytes(v)": "__bytes__",
    "return round(v)": "__round__",
    "return dir(v)": "__dir__",
    "return reversed(v)": "__reversed__ __len__",
    "return open(v)": "__fspath__",
    "return os.fspath(v)": "__fspath__",
    "return copy.copy(v)": "__copy__ __setstate__",
    "return clone(v)": "__deepcopy__ __setstate__",
    "return pickle.dumps(v)": "__reduce__",
    "return divmod(v, 2)": "__divmod__",
    "return callable(v)": "",
}
HEAD = "import copy\nimport os\nimport pickle\nfrom copy import deepcopy as clone\n\n\nclass V:\n"
PROGRAM = (
    HEAD
    + "".join(f"    def {name}(self, *rest): raise ValueError\n" for name in METHODS.split())
    + "".join(f"\n\ndef f{at}(v: V):\n    {body}\n" for at, body in enumerate(CASES))
)


@pytest.mark.parametrize("engine", [True, False])
def test_operations_run_methods_of_their_operands(tmp_path: Path, engine: bool) -> None:
    found = called(read({"m.py": PROGRAM}, tmp_path, engine), Form.IMPLICIT)
    for at, (body, names) in enumerate(CASES.items()):
        expected = {f"V.{name}" for name in names.split()}
        got = found.get(f"f{at}", {})
        # What the engine tells of besides (items, iteration) is not this module's.
        extra = {"V.__getitem__"} if body.startswith("del") else set()
        assert expected <= set(got) <= expected | extra, body
        assert set(got.values()) <= {Tier.TYPED}, body


@pytest.mark.parametrize("engine", [True, False])
def test_what_comes_first_is_run_and_bases_and_overrides_count(tmp_path: Path, engine: bool) -> None:
    text = """
class Base:
    def __repr__(self): return ""
    def __len__(self): return 1

class Below(Base):
    def __len__(self): return 2

class Told(Exception):
    def __repr__(self): return ""

class Ordered:
    def __lt__(self, other): return True

def shown(one: Base, two: Told):
    print(one)
    return str(two)

def tested(one: Base):
    return not one

def lower(one: Below):
    return len(one)

def order(one: Ordered):
    return one >= 3

def foreign(text: str, number: int):
    return len(text) == number

def shadowed(one: Base):
    def len(x): return 0
    return len(one)
"""
    batch = read({"m.py": text}, tmp_path, engine)
    found = called(batch, Form.IMPLICIT)
    # An exception has a __str__ of its own, outside: __repr__ may run, like an override.
    assert found["shown"] == {"Base.__repr__": Tier.TYPED, "Told.__repr__": Tier.HIERARCHY}
    assert found["tested"] == {"Base.__len__": Tier.TYPED}
    assert found["lower"] == {"Below.__len__": Tier.TYPED}
    assert found["order"] == {"Ordered.__lt__": Tier.TYPED}
    assert "foreign" not in found
    assert "shadowed" not in found
    virtual = {
        edge.members[0].key.rpartition("::")[2]: dict(edge.props)["virtual"]
        for edge in batch.edges
        if edge.kind is EdgeKind.CALLS and edge.form is Form.IMPLICIT
    }
    assert virtual["tested"], "an override of Base.__len__ may run"


def test_a_method_that_a_class_gains_is_run_where_the_class_is_used(tmp_path: Path) -> None:
    files = {
        "v.py": "class V:\n    def go(self): return 1\n",
        "use.py": "from v import V\n\n\ndef use(v: V):\n    return v == 1\n",
    }
    assert "use" not in called(read(files, tmp_path / "one"), Form.IMPLICIT)
    edited = files | {"v.py": files["v.py"] + "    def __eq__(self, other): return True\n"}
    after = called(read(edited, tmp_path / "one"), Form.IMPLICIT)
    assert after["use"] == {"V.__eq__": Tier.TYPED}
    assert after == called(read(edited, tmp_path / "two"), Form.IMPLICIT)


@pytest.mark.parametrize("engine", [True, False])
@pytest.mark.parametrize(
    "name", ['f"visit_{kind}"', '"visit_" + kind', '"visit_%s" % kind', '"visit_{}".format(kind)']
)
def test_what_is_fetched_by_the_beginning_of_its_name(tmp_path: Path, name: str, engine: bool) -> None:
    text = f"""
class Visitor:
    def visit(self, kind):
        return getattr(self, {name}, None)()

    def visit_any(self): pass
    def visiting(self): pass

class Compiler(Visitor):
    def visit_name(self): pass
    def other(self): pass
    visit_table = {{}}

class Apart:
    def visit_apart(self): pass
"""
    found = called(read({"m.py": text}, tmp_path, engine), Form.HANDED)
    assert found["Visitor.visit"] == {
        "Visitor.visit_any": Tier.TYPED,
        "Compiler.visit_name": Tier.HIERARCHY,
    }


@pytest.mark.parametrize("name", ["kind", '"visit"', 'f"{kind}_visit"', '"a-" + kind', 'f"v{kind}"'])
def test_nothing_is_guessed_of_a_name_without_a_beginning(tmp_path: Path, name: str) -> None:
    text = (
        f"class A:\n    def f(self, kind):\n        getattr(self, {name}, None)\n    def visit(self): pass\n"
    )
    found = called(read({"m.py": text}, tmp_path), Form.HANDED).get("A.f", {})
    assert set(found) <= ({"A.visit"} if name == '"visit"' else set())


def test_a_module_answers_for_names_that_it_lacks(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "here = 1\n\n\ndef __getattr__(name):\n    return name\n",
        "pkg/inner.py": "",
        "use.py": """
import pkg
from pkg import late, here
import pkg.inner

def lacks(): return pkg.other
def has(): return pkg.here, pkg.inner, pkg.__name__, here
def inside():
    from pkg import later
""",
    }
    found = called(read(files, tmp_path), Form.IMPLICIT)
    answering = {"__getattr__": Tier.TYPED}
    assert found == {"lacks": answering, "inside": answering, "<module>": answering}


def test_an_instance_answers_for_what_it_lacks(tmp_path: Path) -> None:
    text = """
from typing import Any

class Proxy:
    def __getattr__(self, name): return name
    def known(self): pass

def make() -> Any:
    return Proxy()

def lacks(): return make().other
def has(): return make().known()
"""
    found = called(read({"m.py": text}, tmp_path), Form.IMPLICIT)
    assert found == {"lacks": {"Proxy.__getattr__": Tier.TYPED}}


_OPERATORS = ["+", "%", "@", "==", "<", "in", "not in", "is", "and", "or"]
OPERAND = st.sampled_from(["v", "v.w", "v()", "v[0]", "1", "'é'", "(lambda: 0)", "None"])
EXPRESSION = st.recursive(
    OPERAND,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(_OPERATORS), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(st.sampled_from(["not", "-", "+", "~"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]})"
        ),
        st.tuples(st.sampled_from(["len", "str", "zip", "copy.copy", "getattr"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {{{parts[0]}: 'é'}})"),
    ),
    max_leaves=8,
)


@given(EXPRESSION)
def test_spans_are_those_of_operands_and_kinds_are_known(expression: str) -> None:
    text = f"import copy\ndef f(v):\n    é = {expression}\n"
    record = syntax.parse("m.py", text.encode())
    assert record.diagnosis is None
    lines = text.split("\n")
    for block in record.uses.blocks:
        for item in block.implied:
            assert item.kind in RUNS
            assert item.line == item.end_line
            operand = lines[item.line - 1][item.column : item.end_column]
            parsed = ast.parse(operand, mode="eval").body
            assert isinstance(parsed, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)), operand


@pytest.mark.parametrize("engine", [True, False])
def test_an_exception_that_a_test_expects_is_known(tmp_path: Path, engine: bool) -> None:
    text = """
import unittest
import pytest
from pytest import raises as expected

class Refused(Exception):
    def __str__(self): return ""
    def code(self): return 1

class Late(Refused):
    def code(self): return 2

def test_one():
    with pytest.raises(Refused, match="x") as info:
        pass
    assert str(info.value) == ""

def test_either():
    with expected((Refused, Late)) as info:
        pass
    info.value.code()

def test_other(raises):
    with raises(Refused) as info:
        pass
    str(info.value)

class TestIt(unittest.TestCase):
    def test_two(self):
        with self.assertRaises(Refused) as held:
            pass
        str(held.exception)
"""
    batch = read({"test_m.py": text}, tmp_path, engine)
    implied = called(batch, Form.IMPLICIT)
    tier = Tier.HIERARCHY if engine else Tier.TYPED
    assert implied["test_one"]["Refused.__str__"] in (tier, Tier.TYPED)
    assert implied["TestIt.test_two"]["Refused.__str__"] in (tier, Tier.TYPED)
    assert "Refused.__str__" not in implied.get("test_other", {})
    assert {"Refused.code", "Late.code"} <= set(called(batch, Form.PLAIN)["test_either"])


def test_what_an_instance_answers_with_is_followed(tmp_path: Path) -> None:
    text = """
class Kind:
    def __getattr__(self, name):
        found = Kind()
        return found
    def __contains__(self, other): return True
    def own(self): return 1

ROOT = Kind()
LEAF = ROOT.leaf.deeper

def has(x): return x in LEAF
def own(): return LEAF.own()
"""
    batch = read({"m.py": text}, tmp_path)
    assert set(called(batch, Form.IMPLICIT)["has"]) == {"Kind.__contains__"}
    assert set(called(batch, Form.PLAIN)["own"]) == {"Kind.own"}


def test_loops_are_followed_where_the_engine_knows_no_class(tmp_path: Path) -> None:
    text = """
from typing import Any

class Row:
    def __iter__(self): return self
    def __next__(self): return 1

class Later:
    def __aiter__(self): return self
    async def __anext__(self): return 1

def row() -> Any: return Row()
def later() -> Any: return Later()

def loop():
    for item in row(): pass
def inside(): return [item for item in row()]
async def wait():
    async for item in later(): pass
"""
    for engine in (True, False):
        found = called(read({"m.py": text}, tmp_path / str(engine), engine), Form.IMPLICIT)
        assert set(found["loop"]) == set(found["inside"]) == {"Row.__iter__", "Row.__next__"}
        assert set(found["wait"]) == {"Later.__aiter__", "Later.__anext__"}


@pytest.mark.parametrize("engine", [True, False])
def test_a_parameter_holds_what_parametrize_gives_it(tmp_path: Path, engine: bool) -> None:
    text = """
import pytest

class One:
    def go(self): return 1

class Two:
    def go(self): return 2

class Three:
    def go(self): return 3

@pytest.fixture
def given(request): return request.param

@pytest.mark.parametrize("kind", [One, pytest.param(Two, id="two"), 3, lambda: None])
def test_single(kind):
    kind().go()

@pytest.mark.parametrize(("kind", "size"), [(One, 1), (Three, 2)])
@pytest.mark.parametrize(argnames="other", argvalues=(Two(),))
def test_several(kind, size, other):
    kind().go()
    other.go()

@pytest.mark.parametrize("given", [Three], indirect=True)
def test_indirect(given):
    given().go()

@pytest.mark.parametrize("kind", [One, Three])
class TestAll:
    def test_class(self, kind):
        kind().go()

@pytest.mark.parametrize("kind", One)
def test_odd(kind):
    kind().go()
"""
    batch = read({"test_m.py": text}, tmp_path, engine)
    found = called(batch, Form.PLAIN, Form.HANDED)
    assert {"One.go", "Two.go"} == {name for name in found["test_single"] if name.endswith(".go")}
    assert {"One.go", "Two.go", "Three.go"} == {n for n in found["test_several"] if n.endswith(".go")}
    assert {"One.go", "Three.go"} == {n for n in found["TestAll.test_class"] if n.endswith(".go")}
    assert Tier.TYPED not in found.get("test_odd", {}).values()
    assert Tier.TYPED not in found.get("test_indirect", {}).values()
    assert {"One", "Two"} <= set(called(batch, Form.CONSTRUCTOR)["test_single"])


def test_what_an_expected_exception_says_is_looked_at(tmp_path: Path) -> None:
    text = """
import pytest

class Refused(Exception):
    def __str__(self): return ""

def test_match():
    with pytest.raises(Refused, match="x"):
        pass

def test_kind():
    with pytest.raises(Refused):
        pass
"""
    found = called(read({"test_m.py": text}, tmp_path), Form.IMPLICIT)
    assert found == {"test_match": {"Refused.__str__": Tier.HIERARCHY}}


@pytest.mark.parametrize("engine", [True, False])
def test_a_parameter_holds_what_its_fixture_gives(tmp_path: Path, engine: bool) -> None:
    files = {
        "kinds.py": """
class One:
    def go(self): return 1
    def __len__(self): return 1

class Two:
    def go(self): return 2
""",
        "conftest.py": """
import pytest
from kinds import One, Two

@pytest.fixture(params=[One, pytest.param(Two, id="two")])
def kind(request): return request.param

@pytest.fixture
def made(kind):
    yield kind()

@pytest.fixture
def plain(made): return made
""",
        "test_m.py": """
def test_kind(kind): kind().go()
def test_made(made): made.go()
def test_plain(plain):
    plain.go()
    return len(plain)
def helper(made): made.go()
""",
    }
    batch = read(files, tmp_path, engine)
    found = called(batch, Form.PLAIN, Form.HANDED)
    for name in ("test_kind", "test_made", "test_plain"):
        tiers = {method: tier for method, tier in found[name].items() if method.endswith(".go")}
        assert set(tiers) == {"One.go", "Two.go"}, name
        assert set(tiers.values()) <= {Tier.TYPED, Tier.HIERARCHY}, name
    assert "One.__len__" in called(batch, Form.IMPLICIT)["test_plain"]
    assert set(found["helper"].values()) == {Tier.AMBIGUOUS}, "no test, so that nothing hands it anything"
    # What a fixture gives moves what its tests run, though their own file stands as it was.
    edited = files | {"conftest.py": files["conftest.py"].replace("return made", "return 3")}
    after = called(read(edited, tmp_path, engine), Form.PLAIN, Form.HANDED)
    assert after == called(read(edited, tmp_path / "fresh", engine), Form.PLAIN, Form.HANDED)
    assert not {Tier.TYPED, Tier.HIERARCHY} & set(after.get("test_plain", {}).values())


CLASSES = """
import contextlib
import functools
from dataclasses import dataclass, field
from enum import Enum

class Meta(type):
    def __call__(cls, *rest): return super().__call__(*rest)
    def __instancecheck__(cls, one): return True
    def __getitem__(cls, key): return cls
    def __len__(cls): return 1
    def __eq__(cls, other): return True

class Made(metaclass=Meta):
    def __len__(self): return 1

class Below(Made):
    def __init__(self): pass

class Generic:
    def __class_getitem__(cls, key): return cls
    def __eq__(self, other): return True

class Refused(Exception):
    def __init__(self, *rest): pass

def factory(): return []

@dataclass
class Point:
    rest: list = field(default_factory=factory)
    def __post_init__(self): pass

class Colour(Enum):
    RED = 1
    @classmethod
    def _missing_(cls, value): return cls.RED

class Descriptor:
    def __get__(self, one, kind=None): return 1
    def __set__(self, one, value): pass

class Holding:
    held = Descriptor()

class Context:
    def __enter__(self): return self
    def __exit__(self, *rest): pass
    def close(self): pass

def making(): return Below()
def asking(one): return isinstance(one, (int, Below))
def item(): return Below[1]
def generic(): return Generic[int]
def length(): return len(Below)
def same(): return Below == 1
def no_instance(): return Generic == 1
def raising():
    raise Refused
def again(error: Refused):
    raise error
def point(): return Point()
def colour(): return Colour(1)
def setting(one: Holding): setattr(one, "held", 1)
def stack():
    with contextlib.ExitStack() as stack:
        stack.enter_context(Context())
def closing():
    with contextlib.closing(Context()):
        pass
"""


@pytest.mark.parametrize("engine", [True, False])
def test_what_is_done_to_classes_runs_their_metaclass(tmp_path: Path, engine: bool) -> None:
    batch = read({"m.py": CLASSES}, tmp_path, engine)
    found = called(batch, Form.IMPLICIT)
    made = called(batch, Form.CONSTRUCTOR)
    assert set(found["asking"]) == {"Meta.__instancecheck__"}
    assert set(found["item"]) == {"Meta.__getitem__"}
    assert set(found["generic"]) == {"Generic.__class_getitem__"}
    assert set(found["length"]) == {"Meta.__len__"}, "not the __len__ of its instances"
    assert set(found["same"]) == {"Meta.__eq__"}
    assert "no_instance" not in found
    assert set(made["making"]) == {"Below", "Below.__init__", "Meta.__call__"}
    assert set(made["raising"]) == {"Refused", "Refused.__init__"}
    assert "again" not in made
    assert set(made["point"]) == {"Point", "Point.__post_init__"}
    assert set(made["colour"]) == {"Colour", "Colour._missing_"}
    assert "factory" in called(batch, Form.HANDED)["Point"], "an instance that is made runs it"
    assert "Descriptor.__set__" in found["setting"]
    assert set(found["stack"]) == {"Context.__enter__", "Context.__exit__"}
    assert "Context.close" in found["closing"]


@pytest.mark.parametrize("engine", [True, False])
def test_a_generic_function_runs_what_is_registered_with_it(tmp_path: Path, engine: bool) -> None:
    files = {
        "base.py": """
import functools

@functools.singledispatch
def show(one): return ""

def plain(one): return ""
plain.register = lambda function: function

class Shown:
    @functools.singledispatchmethod
    def show(self, one): return ""

    @show.register
    def _(self, one: int): return ""
""",
        "more.py": """
from base import plain, show

@show.register
def show_int(one: int): return "int"

@show.register(str)
def show_str(one): return "str"

@plain.register
def other(one): return ""
""",
    }
    batch = read(files, tmp_path, engine)
    found = called(batch, Form.HANDED)
    assert set(found["show"]) == {"show_int", "show_str"}
    assert set(found["Shown.show"]) == {"Shown._"}
    assert "other" not in found.get("plain", {})
    edited = files | {
        "base.py": files["base.py"].replace('def show(one): return ""', "def show(one): return 1")
    }
    after = called(read(edited, tmp_path, engine), Form.HANDED)
    assert after["show"] == found["show"], "what another file registers stays when this one is edited"


@pytest.mark.parametrize("engine", [True, False])
def test_what_stands_between_an_attribute_and_its_user_is_run(tmp_path: Path, engine: bool) -> None:
    text = """
class cached_property:
    def __init__(self, function): self.function = function
    def __get__(self, one, kind=None): return self.function(one)

class Forwarded:
    def __init__(self, function): self.function = function
    def __get__(self, one, kind=None): return self.function

class Thing:
    @cached_property
    def late(self): return 1

    def _get(self): return 1
    def _set(self, value): pass
    size = property(_get, fset=_set)

    __len__ = Forwarded(len)

    def __setattr__(self, name, value): pass

class Dying:
    def __del__(self): pass

def lazy(one: Thing): return one.late
def reads(one: Thing): return one.size
def writes(one: Thing): one.size = 2
def length(one: Thing): return len(one)
def keeps(one: Thing): one.other = 3
def makes(): Dying()
"""
    batch = read({"m.py": text}, tmp_path, engine)
    implied = called(batch, Form.IMPLICIT)
    # Through `late`, which is what they use: its own function depends on what hands it out.
    assert "cached_property.__get__" in called(batch, Form.WRAPPER)["Thing.late"]
    assert "Thing.late" in called(batch, Form.PROPERTY)["lazy"]
    assert "Thing._get" in implied["reads"]
    assert {"Thing._set", "Thing.__setattr__"} <= set(implied["writes"])
    assert "Thing._get" not in implied["writes"]
    assert "Forwarded.__get__" in implied["length"]
    assert "Thing.__setattr__" in implied["keeps"]
    assert "Dying.__del__" in called(batch, Form.CONSTRUCTOR)["makes"]


@pytest.mark.parametrize("engine", [True, False])
def test_a_method_that_uses_its_own_instance(tmp_path: Path, engine: bool) -> None:
    """The engine says nothing of operators on `self`."""
    text = """
class A:
    def __getitem__(self, key): return 1
    def __setitem__(self, key, value): pass
    def __delitem__(self, key): pass
    def __call__(self): pass
    def __add__(self, other): return self
    def __isub__(self, other): return self
    def __enter__(self): return self
    def __exit__(self, *rest): pass
    def __iter__(self): return self
    def __next__(self): return 1
    def __str__(self): return ""
    def get(self): return self[0]
    def put(self): self[0] = 1
    def more(self): self[0] += 1
    def drop(self): del self[0]
    def call(self): return self()
    def add(self): return self + 1
    def plus(self): self += 1
    def minus(self): self -= 1
    def loop(self):
        for one in self: pass
    def inside(self): return [one for one in self]
    def enter(self):
        with self: pass
    def said(self): return str(self)

class B(A):
    def __getitem__(self, key): return 2
"""
    batch = read({"m.py": text}, tmp_path, engine)
    found = {name: set(methods) for name, methods in called(batch, Form.IMPLICIT).items()}
    expected = {
        "get": "__getitem__",
        "put": "__setitem__",
        "more": "__getitem__ __setitem__",
        "drop": "__delitem__",
        "call": "__call__",
        "add": "__add__",
        "plus": "__add__",
        "minus": "__isub__",
        "loop": "__iter__ __next__",
        "inside": "__iter__ __next__",
        "enter": "__enter__ __exit__",
        "said": "__str__",
    }
    for name, methods in expected.items():
        assert found[f"A.{name}"] == {f"A.{method}" for method in methods.split()}, name
    virtual = {
        dict(edge.props)["virtual"]
        for edge in batch.edges
        if edge.kind is EdgeKind.CALLS and edge.members[0].key.endswith("A.get")
    }
    assert virtual == {True}, "an override may run"
