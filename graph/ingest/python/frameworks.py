"""What frameworks add to a program's graph: tests, fixtures, registrations, wrappers, names in strings.

`collect` reads one file's syntax tree; `link` ties the collected records together.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from graph.ingest.python.records import Definition
from graph.ingest.python.traits import FrameworkRecord
from graph.ingest.python.traversal import Traversal

__all__ = ["FrameworkRecord", "collect"]


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
    traversal.body(tree.body)
    return traversal.record
