"""Mutants of a program's files: where a kept library can make them, drawn by chance, and made.

The library is cosmic-ray (`pip install cosmic-ray==8.7.0`); nothing else of Maestro needs it.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

NEEDED = "cosmic-ray==8.7.0"


class UnmadeError(RuntimeError):
    """The library failed on code that one of its operators does not know."""


class MissingLibraryError(RuntimeError):
    """The library that makes mutants is not installed."""

    def __init__(self) -> None:
        super().__init__(f"Mutants are made by cosmic-ray, which is not installed: pip install {NEEDED}")


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One way to change a program: the n-th place of a file that an operator applies to.

    Parameters
    ----------
    path : str
        Within the repository.
    operator : str
        As the library names it.
    occurrence : int
        From 0.
    line, column : int
        Where it changes the file; lines count from 1, columns from 0.
    """

    path: str
    operator: str
    occurrence: int
    line: int
    column: int

    @property
    def key(self) -> str:
        """What names it."""
        return f"{self.path}:{self.line}:{self.column} {self.operator.partition('/')[2]} {self.occurrence}"


def _library() -> tuple[Any, Any, Any]:
    """The library's operators, what parses, and what applies an operator."""
    try:
        names = ("cosmic_ray.plugins", "cosmic_ray.ast", "cosmic_ray.mutating")
        plugins, trees, mutating = (import_module(name) for name in names)
    except ImportError as error:
        raise MissingLibraryError from error
    return plugins, trees, mutating


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """All mutants of a file; operators that have to be told which names to work on are left out."""
    plugins, trees, _ = _library()
    nodes = list(trees.ast_nodes(trees.get_ast(text)))
    for name in sorted(plugins.operator_names()):
        kind = plugins.get_operator(name)
        if kind.arguments():
            continue
        operator = kind()
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, ((line, column), _) in enumerate(places):
            yield Mutant(path, name, occurrence, line, column)


def made(mutant: Mutant, text: str) -> str | None:
    """The file as the mutant has it; None where that is no Python, or the same program.

    A file that does not parse is seen by whoever saves it: that says nothing of a selection.

    Raises
    ------
    UnmadeError
        When the library cannot make it.
    """
    plugins, _, mutating = _library()
    operator = plugins.get_operator(mutant.operator)()
    try:
        changed: str | None = mutating.mutate_code(text, operator, mutant.occurrence)
    except Exception as error:  # its operators are not alike in what they raise
        raise UnmadeError(f"{mutant.key}: {type(error).__name__}: {error}") from error
    if changed is None:
        return None
    try:
        tree = ast.parse(changed)
        same = ast.dump(tree) == _meaning(text)
        compile(tree, mutant.path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return None if same else changed


@lru_cache(maxsize=64)
def _meaning(text: str) -> str:
    return ast.dump(ast.parse(text))


def drawn(every: Iterable[Mutant], seed: int) -> list[Mutant]:
    """Mutants in an order by chance, one of each place: an operator with many variants counts once.

    The first n of it are a sample of n places. The order depends on the mutants and the seed alone.
    """
    places: dict[tuple[str, int, int], list[Mutant]] = {}
    for mutant in sorted(every):
        places.setdefault((mutant.path, mutant.line, mutant.column), []).append(mutant)
    chance = random.Random(seed)
    found = [chance.choice(there) for _, there in sorted(places.items())]
    chance.shuffle(found)
    return found
