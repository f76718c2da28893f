"""What frameworks add to a program's graph: tests, fixtures, registrations, wrappers, names in strings.

`collect` reads one file's syntax tree; `link` ties the collected records together.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graph.facts import Fact
from graph.ingest.python.records import CallSite, Definition
from graph.ingest.python.traits import FrameworkRecord
from graph.ingest.python.traversal import Traversal
from graph.progress import Progress, silent

if TYPE_CHECKING:
    from graph.ingest.python.fixtures import FixtureTable
    from graph.ingest.python.program import Program

__all__ = ["Extension", "FrameworkRecord", "collect", "link"]


class Extension(NamedTuple):
    """What frameworks add: facts, and calls that go through what they keep or make."""

    facts: list[Fact]
    calls: list[CallSite]


def collect(tree: ast.Module, definitions: Sequence[Definition]) -> FrameworkRecord:
    """Everything of one file that `link` needs later, so that the tree can be dropped.

    Parameters
    ----------
    tree : ast.Module
        The parsed file.
    definitions : sequence of Definition
        The file's definitions, the module first; functions and classes are met by the line of
        their `def` or `class` and their name.
    """
    traversal = Traversal(definitions)
    for statement in tree.body:
        try:
            traversal.body((statement,))
        except RecursionError:
            traversal.record.cut.append(statement.lineno)
            traversal.reset()
    return traversal.record


def link(
    program: Program,
    table: FixtureTable,
    sites: Sequence[CallSite] = (),
    references: Sequence[Fact] = (),
    progress: Progress = silent,
    tests: Iterable[Fact] | None = None,
) -> Extension:
    """Tie the collected records of a program together.

    Parameters
    ----------
    program : Program
    table : FixtureTable
        What `fixtures.table` made of the same program.
    sites : sequence of CallSite
        Calls as the type engine and our own resolver see them, merged: without them decorators and
        registrars that are methods are not found.
    references : sequence of Fact
        Our own resolver's facts: who reads and writes attributes that may hold descriptors.
    tests : iterable of Fact, optional
        What `realisation.test_facts` made of the same program and table, where that is at hand.
    """
    from graph.ingest.python import protocols, realisation, registrations, texts, wrappers
    from graph.ingest.python.flow import Flow

    flow = Flow(program, table.discovery.names, sites)
    configuration, modules = table.discovery.configuration, table.discovery.modules
    said: list[Callable[[], Iterable[Fact]]] = [
        lambda: realisation.test_facts(program, table) if tests is None else tests,
        lambda: registrations.registers(flow),
        lambda: texts.text_facts(flow),
        lambda: texts.entry_facts(flow, configuration.entries),
        lambda: realisation.diagnoses(program, configuration),
    ]
    made: list[Callable[[], Iterable[CallSite]]] = [
        lambda: realisation.hook_calls(program, table),
        lambda: wrappers.wrapper_calls(flow, sites, modules),
        lambda: wrappers.kept_calls(flow, modules),
        lambda: protocols.decorator_calls(flow),
        lambda: protocols.class_calls(flow),
        lambda: protocols.generic_calls(flow),
        lambda: protocols.descriptor_calls(flow, references),
        lambda: protocols.alias_calls(flow, sites),
    ]
    extension = Extension([], [])
    for at, facts in enumerate(said):
        progress("following frameworks", at, len(said) + len(made))
        extension.facts.extend(facts())
    for at, calls in enumerate(made, len(said)):
        progress("following frameworks", at, len(said) + len(made))
        extension.calls.extend(calls())
    return extension
