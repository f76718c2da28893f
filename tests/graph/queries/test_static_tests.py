"""Static selection: the rules that put in what no edge says, each by a test it would miss otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from graph.changes import read_revisions
from graph.facts import Scope
from graph.ingest.git import Mirror
from graph.judgement import judge
from graph.queries.static_tests import select
from graph.workspace import Workspace

FILES = {
    "app/__init__.py": "",
    "app/bag.py": (
        "class Bag:\n    def __len__(self):\n        return 1\n\n    def on_open(self):\n        return 1\n\n"
        "    def fire(self, event):\n        return getattr(self, f'on_{event}')()\n"
    ),
    "app/lazy.py": (
        "def __getattr__(name):\n    if name == 'answer':\n        return made()\n"
        "    raise AttributeError(name)\n\n\n"
        "def made():\n    return 42\n"
    ),
    "app/plain.py": "def one():\n    return 1\n\n\n"
    "def outer():\n    def inner():\n        return 1\n\n    return inner\n",
    "data.txt": "x",
    "NOTES.md": "x",
    "tests/test_bag.py": "from app.bag import Bag\n\n\ndef test_size():\n    assert len(Bag()) == 1\n\n\n"
    "def test_fire():\n    assert Bag().fire('open') == 1\n",
    "tests/test_lazy.py": "from app import lazy\n\n\ndef test_lazy():\n    assert lazy.answer == 42\n\n\n"
    "def test_other():\n    assert lazy\n",
    "tests/test_plain.py": "from app.plain import one, outer\n\n\n"
    "def test_one():\n    assert one() == 1\n\n\n"
    "def test_outer():\n    assert outer()() == 1\n",
}
EDITS = {
    "a protocol": (
        "app/bag.py",
        "return 1\n\n    def on_open",
        "return 2\n\n    def on_open",
        {"test_size", "test_fire"},
    ),
    "a computed name": ("app/bag.py", "return 1\n\n    def fire", "return 2\n\n    def fire", {"test_fire"}),
    "a module that answers": ("app/lazy.py", "return 42", "return 43", {"test_lazy"}),
    "an inner function": ("app/plain.py", "        return 1\n\n", "        return 2\n\n", {"test_outer"}),
    "a plain function": (
        "app/plain.py",
        "def one():\n    return 1",
        "def one():\n    return 2",
        {"test_one"},
    ),
    "a data file": ("data.txt", "x", "y", {"test_one", "test_lazy", "test_size"}),
    "a test of its own": ("tests/test_plain.py", "one() == 1", "one() == 2", {"test_one"}),
    "prose": ("NOTES.md", "x", "y", set()),
}
WITHOUT = {
    "a module that answers": {"test_one"},
    "a plain function": {"test_outer", "test_size"},
    "prose": {"test_one"},
}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A mirror whose commits make one edit each, by the edit's name."""
    root: Path = tmp_path_factory.mktemp("static") / "clone"
    root.mkdir()

    def git(*words):
        name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *name, *words], cwd=root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git("add", "-A")
    git("commit", "-q", "-m", "First")
    base, commits = git("rev-parse", "HEAD"), {}
    for what, (path, old, new, _) in EDITS.items():
        git("reset", "-q", "--hard", base)
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new, 1))
        git("commit", "-q", "-a", "-m", what)
        commits[what] = git("rev-parse", "HEAD")
        git("tag", what.replace(" ", "-"))
    scope, workspace = Scope("t", "static"), Workspace(root.parent / "data")
    workspace.prepare(scope)
    return scope, workspace, Mirror.refresh(root, workspace.mirror(scope)), commits


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_reaches_its_tests_and_says_how(history, what):
    scope, workspace, mirror, commits = history
    found = select(
        judge(workspace, mirror, read_revisions(mirror, scope, commits[what]), engine=False), mirror
    )
    chosen = {choice.node.rpartition("::")[2] for choice in found.choices}
    assert EDITS[what][3] <= chosen
    assert not chosen & WITHOUT.get(what, set())
    assert all(choice.reasons[0].steps for choice in found.choices)
    assert not {choice.node for choice in found.choices} & set(found.skipped)
    assert len(found.choices) + len(found.skipped) == 6
