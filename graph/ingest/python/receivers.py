"""The repository's classes that the type engine says expressions are, or are instances of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graph.ingest.python.answers import Answers, Directory
from graph.ingest.python.records import Site, Target


class Receiver(NamedTuple):
    """A class that an expression is an instance of, or, `itself`, that it is."""

    klass: Target
    itself: bool


class Receivers:
    """By file, what is known of expressions by their spans; a file is looked at when first asked for."""

    def __init__(self, directory: Directory, said: Mapping[str, Answers]) -> None:
        self._directory = directory
        self._said = said
        self._files: dict[str, dict[Site, tuple[Receiver, ...]]] = {}

    def of(self, path: str) -> Mapping[Site, tuple[Receiver, ...]]:
        """What the engine knows of a file's expressions; nothing where it did not tell of the file."""
        found = self._files.get(path)
        if found is None:
            found = self._files[path] = self._read(self._said[path]) if path in self._said else {}
        return found

    def _read(self, answers: Answers) -> dict[Site, tuple[Receiver, ...]]:
        names = [self._directory.target(*name) for name in answers.names]
        return {
            Site(*site): tuple(
                Receiver(klass, index < 0)
                for index in classes
                if (klass := names[index if index >= 0 else ~index]) is not None
            )
            for site, classes in answers.types
        }
