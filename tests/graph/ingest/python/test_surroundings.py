"""An edit can matter to whoever imports the file, through any number of files, and to nobody else."""

from __future__ import annotations

from graph.facts import Scope
from graph.ingest.python import fixtures, syntax
from graph.ingest.python.program import Program
from graph.ingest.python.surroundings import dependents

FILES = {
    "pkg/__init__.py": "",
    "pkg/make.py": "class A: pass\n",
    "pkg/mid.py": "def get():\n    from pkg.make import A\n    return A()\n",
    "pkg/use.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .mid import get\n",
    "pkg/apart.py": "import json\n",
    "pkg/star.py": "from pkg.use import *\n",
    "tests/conftest.py": "import pytest\nfrom pkg.apart import json\n\n"
    "@pytest.fixture\ndef made():\n    return json\n",
    "tests/test_it.py": "def test_it(made):\n    assert made\n",
}


def reach(*changed: str) -> set[str]:
    records = {path: syntax.parse(path, text.encode()) for path, text in sorted(FILES.items())}
    program = Program(Scope("t", "r"), records)
    return dependents(program, fixtures.table(program).parameters, changed)


def test_importers_are_found_at_any_distance_and_for_types_alone():
    assert reach("pkg/make.py") == {"pkg/make.py", "pkg/mid.py", "pkg/use.py", "pkg/star.py"}


def test_users_of_a_fixture_are_found_without_an_import():
    assert reach("pkg/apart.py") == {"pkg/apart.py", "tests/conftest.py", "tests/test_it.py"}


def test_a_file_that_nobody_imports_matters_to_itself():
    assert reach("tests/test_it.py") == {"tests/test_it.py"}
