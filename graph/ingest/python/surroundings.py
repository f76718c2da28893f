"""Which files an edit can matter to: those that import it, however far away, or are handed its fixtures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from graph.ingest.python.imports import modules
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target

Parameters = Mapping[Target, Mapping[str, Iterable[Target]]]


def dependents(program: Program, parameters: Parameters, changed: Iterable[str]) -> set[str]:
    """The changed files and all whose import closure holds one of them, by path.

    Imports for types alone and inside functions count too: what a name in a file stands for can
    only follow from the file, and from what it imports.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for user, used in _pairs(program, parameters):
        users[used].add(user)
    found = set(changed)
    waiting = list(found)
    while waiting:
        fresh = users[waiting.pop()] - found
        found |= fresh
        waiting.extend(fresh)
    return found


def _pairs(program: Program, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """(file, a file that it names)."""
    files = program.names.files
    for path, record in program.records.items():
        for item in record.uses.imports:
            for stem in modules(program, path, item):
                if stem in files:
                    yield path, files[stem]
            named = program.evaluator.module(path, item.level, item.module)
            if named is not None and named in files:
                yield path, files[named]
    for user, handed in parameters.items():
        for targets in handed.values():
            for target in targets:
                yield user.path, target.path
