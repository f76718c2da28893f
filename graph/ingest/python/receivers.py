"""The repository's classes that the type engine says expressions are instances of."""

from __future__ import annotations

from collections.abc import Mapping

from graph.ingest.python.answers import Answers, Directory
from graph.ingest.python.records import Site, Target


class Receivers:
    """By file, span of an expression to its classes; a file is looked at when it is first asked for."""

    def __init__(self, directory: Directory, said: Mapping[str, Answers]) -> None:
        self._directory = directory
        self._said = said
        self._files: dict[str, dict[Site, tuple[Target, ...]]] = {}

    def of(self, path: str) -> Mapping[Site, tuple[Target, ...]]:
        """Classes by span, of a file that the engine told of."""
        found = self._files.get(path)
        if found is None:
            answers = self._said[path]
            names = [self._directory.target(*name) for name in answers.names]
            found = self._files[path] = {
                Site(*site): tuple(klass for index in classes if (klass := names[index]) is not None)
                for site, classes in answers.types
            }
        return found
