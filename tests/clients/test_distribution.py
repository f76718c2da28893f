"""What the distribution promises of itself: what it imports, and that Python 3.9 can read it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "pytest-maestro"
SOURCES = sorted((CLIENT / "src").rglob("*.py"))
ALLOWED = {
    "maestro_selection": {"maestro_selection"},
    "pytest_maestro": {"maestro_selection", "pytest_maestro", "pytest", "coverage"},
}
OLD_BUILTINS = {"tomllib", "asyncio.taskgroups"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_imports_stay_within(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = set()
    unsure = {inner for node in ast.walk(tree) if _can_do_without(node) for inner in node.body}
    for node in ast.walk(tree):
        if node in unsure:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            names.add(node.module.partition(".")[0])
    package = path.relative_to(CLIENT / "src").parts[0]
    assert names <= sys.stdlib_module_names - OLD_BUILTINS | ALLOWED[package]


def _can_do_without(node: ast.AST) -> bool:
    """Whether what is imported here may be missing."""
    return isinstance(node, ast.Try) and [ast.unparse(each.type) for each in node.handlers] == ["ImportError"]


def test_annotations_are_not_evaluated():
    """So that 3.9 never meets a `X | None` at run time."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if re.search(r"^\s*def |^\s+\w+: ", text, re.MULTILINE) and path.stem != "sitecustomize":
            assert "from __future__ import annotations" in text, path


def test_the_metadata():
    told = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert told["requires-python"] == ">=3.9"
    assert {re.match(r"\w+", name).group() for name in told["dependencies"]} == {"pytest", "coverage"}
    assert told["license"] == "Apache-2.0"
    assert (CLIENT / "LICENSE").read_bytes() == (CLIENT.parents[1] / "LICENSE").read_bytes()


def test_maestro_does_not_load_the_plugin(pytestconfig):
    assert not pytestconfig.pluginmanager.has_plugin("maestro")
    assert not pytestconfig.pluginmanager.has_plugin("pytest_maestro.plugin")
