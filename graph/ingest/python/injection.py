"""Which expressions of a file come out of a fixture, by the names they are written with."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graph.ingest.python.module import PARAMETER, VALUE, ModuleRecord, Scope
from graph.ingest.python.records import Site

_ROOT = re.compile(r"[^.()\[\]@|]*")
_DEPTH = 12
"""Variables followed from one to the next."""


class Injection:
    """Calls of one file that are made on what a fixture made.

    Parameters
    ----------
    record : ModuleRecord
        The file.
    parameters : mapping of int to set of str
        By place of a function, its parameters that are handed to it as fixtures.
    """

    def __init__(self, record: ModuleRecord, parameters: Mapping[int, frozenset[str]]) -> None:
        self._parameters = parameters
        self._scopes: dict[int, Scope] = {scope.place: scope for scope in record.uses.scopes}
        self._known: dict[tuple[int, str], bool] = {}
        self._sites: set[Site] = set()
        for block in record.uses.blocks:
            for use in block.uses:
                if self._injected(block.scope, use.chain, 0):
                    self._sites.add(Site(use.line, use.column, use.end_line, use.end_column))

    def holds(self, place: int, site: Site) -> bool:
        """Whether what is used at that span comes out of a fixture."""
        return site in self._sites

    def _injected(self, place: int, chain: str, depth: int) -> bool:
        roots = (found.group() for found in map(_ROOT.match, chain.split("|")) if found)
        return any(self._root(place, root, depth) for root in roots)

    def _root(self, place: int, name: str, depth: int) -> bool:
        if not name or depth > _DEPTH:
            return False
        known = self._known.get((place, name))
        if known is None:
            self._known[place, name] = False  # cut cycles: x = x.y
            known = self._known[place, name] = self._look(place, name, depth)
        return known

    def _look(self, place: int, name: str, depth: int) -> bool:
        scope = self._scopes.get(place)
        while scope is not None and name not in scope.names:
            scope = self._scopes.get(scope.parent) if scope.parent >= 0 else None
        if scope is None:
            return False
        values = [binding for binding in scope.names[name] if binding.kind == VALUE]
        if values:  # bound anew, a parameter is whatever it is bound to
            return all(self._injected(binding.place, binding.chain, depth + 1) for binding in values)
        handed = self._parameters.get(scope.place, ())
        return name in handed and any(binding.kind == PARAMETER for binding in scope.names[name])
