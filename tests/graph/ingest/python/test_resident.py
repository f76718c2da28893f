"""A Maestro that stays up says of every tree what a fresh one says, edit after edit."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from graph.facts import Batch, Scope
from graph.ingest.python import linkage, reader
from graph.ingest.python.resident import Resident

SCOPE = Scope("t", "r")

TREE = {
    "shop/__init__.py": "",
    "shop/base.py": (
        "import functools\n\n\n"
        "def logged(function):\n    @functools.wraps(function)\n    def wrapper(*args):\n"
        "        print(args)\n        return function(*args)\n    return wrapper\n\n\n"
        "class Item:\n    limit = 3\n\n    def __init__(self, price):\n        self.price = price\n\n"
        "    def cost(self):\n        return self.price * self.limit\n\n"
        "    @property\n    def double(self):\n        return self.cost() * 2\n\n\n"
        "HANDLERS = {}\n\n\n"
        "def register(name):\n    def keep(function):\n        HANDLERS[name] = function\n"
        "        return function\n    return keep\n"
    ),
    "shop/cart.py": (
        "from shop.base import HANDLERS, Item, logged, register\n\n\n"
        "class Special(Item):\n    def cost(self):\n        return super().cost() - 1\n\n\n"
        "def make(kind):\n    if kind:\n        return Special(4)\n    return Item(1)\n\n\n"
        "@register('sum')\n@logged\ndef total(items):\n    result = 0\n    for item in items:\n"
        "        result += item.cost()\n    return result\n\n\n"
        "def run(name, items):\n    made = make(name)\n    return HANDLERS[name](items) + made.double\n"
    ),
    "tests/conftest.py": (
        "import pytest\nfrom shop.cart import make\n\n\n@pytest.fixture\ndef item():\n    return make(True)\n"
    ),
    "tests/test_cart.py": (
        "from unittest import mock\nfrom shop import cart\n\n\n"
        "def test_total(item):\n    assert cart.total([item]) == item.cost()\n\n\n"
        "def test_run(item):\n    with mock.patch('shop.cart.make'):\n        cart.run('sum', [item])\n"
    ),
}

LINES = (
    "print('edited')",
    "print(len(__name__))",
    "x = 1",
    "y = make(False)",
    "y = Item(2).cost()",
    "total([])",
    "self.price = 5",
    "kept = run",
    "import shop.cart",
    "HANDLERS['other'] = len",
    "assert item",
    "return total",
    "return None",
    "# a comment",
    "if x: print(x.cost())",
    "getattr(x, 'cost')()",
    "register('more')(len)",
    "def inner(): return total([])",
)


class File(NamedTuple):
    path: str
    blob: str
    size: int
    language: str


def read(files: Mapping[str, str], cache: Path, engine: bool, resident: Resident | None = None) -> Batch:
    data = {path: text.encode() for path, text in files.items()}
    ids = {path: sha1(path.encode() + content).hexdigest() for path, content in data.items()}
    contents = {ids[path]: content for path, content in data.items()}
    sources = [File(path, ids[path], len(data[path]), "python") for path in data]
    return reader.read(SCOPE, sources, contents.__getitem__, cache, engine=engine, resident=resident)


def edits(seed: int, count: int) -> Iterator[dict[str, str]]:
    """Trees in which a line came or went somewhere, each from the one before."""
    chance, files = random.Random(seed), dict(TREE)
    for _ in range(count):
        path = chance.choice([path for path in files if files[path]])
        lines = files[path].split("\n")
        bodies = [at for at, line in enumerate(lines) if line.startswith("    ") and not line.endswith(":")]
        at = chance.choice(bodies)
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        if chance.random() < 0.25 and len(bodies) > 6:
            del lines[at]
        else:
            lines.insert(at, indent + chance.choice(LINES))
        files = {**files, path: "\n".join(lines)}
        yield files


def same(found: Batch, fresh: Batch) -> None:
    assert set(found.edges) == set(fresh.edges)
    assert set(found.nodes.values()) == set(fresh.nodes.values())


@pytest.mark.parametrize("seed", range(3))
def test_facts_after_edits_are_those_of_a_fresh_reading(tmp_path: Path, seed: int) -> None:
    stepped = 0
    with Resident() as resident:
        cache = tmp_path / "resident"
        read(TREE, cache, False, resident)
        for at, files in enumerate(edits(seed, 30)):
            found = read(files, cache, False, resident)
            linked = resident.linkage(SCOPE, cache)
            stepped += linked is not None and linked.moved is not None
            same(found, read(files, tmp_path / f"fresh{at}", False))
    assert stepped > 5, "no edit was taken alone: the test would hold nothing"


def test_facts_with_the_engine_are_those_of_a_fresh_reading(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children()}
    with Resident() as resident:
        cache = tmp_path / "resident"
        read(TREE, cache, True, resident)
        assert {process.pid for process in psutil.Process().children()} - before, "the engine stayed"
        for at, files in enumerate(edits(7, 4)):
            same(read(files, cache, True, resident), read(files, tmp_path / f"fresh{at}", True))
    assert {process.pid for process in psutil.Process().children()} <= before, "and it is gone"


def test_a_print_in_a_body_leaves_everything_else_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    extended = linkage._extended
    monkeypatch.setattr(linkage, "_extended", lambda *rest: asked.append(1) or extended(*rest))
    with Resident() as resident:
        read(TREE, tmp_path, False, resident)
        text = TREE["shop/cart.py"].replace("    result = 0\n", "    print('edited')\n    result = 0\n")
        read({**TREE, "shop/cart.py": text}, tmp_path, False, resident)
        linked = resident.linkage(SCOPE, tmp_path)
    assert linked is not None and linked.moved == {"shop/cart.py"}
    assert len(asked) == 1, "frameworks were followed once, for the whole tree"


def test_what_others_see_moves_them(tmp_path: Path) -> None:
    with Resident() as resident:
        read(TREE, tmp_path, False, resident)
        text = TREE["shop/cart.py"].replace("return Special(4)", "return Item(4)")
        found = read({**TREE, "shop/cart.py": text}, tmp_path, False, resident)
        linked = resident.linkage(SCOPE, tmp_path)
        assert linked is not None and linked.moved is None
        same(found, read({**TREE, "shop/cart.py": text}, tmp_path / "fresh", False))


def test_an_engine_that_stayed_goes_when_maestro_is_killed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("def f(): ...\n")
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from graph.ingest.python.attendant import Attendant\n"
        "from graph.ingest.python.engine import Engine\n"
        "place = Path(sys.argv[1])\n"
        "tree, support = place / 'tree', place / 'support'\n"
        "search = ['', str(support)]\n"
        "stays = Attendant(Engine.find(), tree, support, ['a.py'], search, lambda path: ())\n"
        "print(stays._folder, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        engines = psutil.Process(process.pid).children(recursive=True)
        assert engines and folder.is_dir()
        process.kill()
    _, living = psutil.wait_procs(engines, timeout=20)
    assert not living
    assert not folder.exists()
