"""Who reads names of a module that it does not define: those are answered by its `__getattr__`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from maestro_selection import tables
from maestro_selection.effects import BY_NAME, LISTING, RUNNING
from maestro_selection.tables import FileTable

from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind

Texts = Callable[[str], bytes | None]
"""Content of a path; None where there is none to be read."""
_MODULE = "<module>"


class ModuleReads:
    """Looks into files that import a module; only when it is asked, since it reads their text."""

    def __init__(self, graph: Incidence, texts: Texts) -> None:
        self._graph = graph
        self._texts = texts
        self._tables: dict[str, FileTable | None] = {}

    def readers(self, module: int) -> list[int]:
        """Symbols that can ask a module for a name that its `__getattr__` answers for, ascending.

        It answers for the names that stand in it as strings; where it computes what it answers, for every
        name that the module does not define. Of a file whose text cannot be had, all that it holds may ask.
        """
        graph = self._graph
        path = graph.path(module)
        stem = path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
        names = self._answered(path)
        found: set[int] = set()
        for importer in self._importers(module):
            table = self._table(importer)
            if table is None:
                found.update(self._symbols(importer, _MODULE))
                continue
            for scope in _asking(table, stem, names, self._defined(module)):
                found.update(self._symbols(importer, scope or _MODULE))
        return sorted(found)

    def _defined(self, module: int) -> set[str]:
        graph = self._graph
        symbols = graph.nodes_of(NodeKind.SYMBOL)
        own = symbols[graph.path_id[symbols] == graph.path_id[module]].tolist()
        return {graph.name(node) for node in own if "." not in graph.qualname(node)}

    def _answered(self, path: str) -> frozenset[str] | None:
        """Names that a module's `__getattr__` answers for; None where that cannot be told."""
        table = self._table(path)
        if table is None:
            return None
        names: set[str] = set()
        for statement in table.statements:
            if table.scopes[statement.scope].name.partition(".")[0] != "__getattr__":
                continue
            if {RUNNING, BY_NAME, LISTING} & set(statement.effects.traits):
                return None
            names.update(statement.effects.strings)
        return frozenset(names)

    def _importers(self, module: int) -> list[str]:
        """Files that import it by any statement."""
        graph = self._graph
        found: set[str] = set()
        for edge in graph.edges_of(EdgeKind.IMPORTS).tolist():
            if module in graph.in_role(edge, "imported"):
                found.update(graph.path(node) for node in graph.in_role(edge, "importer"))
        return sorted(found)

    def _table(self, path: str) -> FileTable | None:
        if path not in self._tables:
            text = self._texts(path)
            self._tables[path] = tables.read(path, text) if text is not None else None
        return self._tables[path]

    def _symbols(self, path: str, qualname: str) -> Iterator[int]:
        graph = self._graph
        node = graph.find(NodeKind.SYMBOL, graph.scope.symbol(path, qualname))
        # A scope that the graph names otherwise: the whole file counts.
        yield node if node >= 0 else graph.find(NodeKind.SYMBOL, graph.scope.symbol(path, _MODULE))


def _asking(table: FileTable, stem: str, names: frozenset[str] | None, defined: set[str]) -> Iterator[str]:
    """Scopes of a file with a statement that asks for an answered name, or may do so by a computed one."""
    aliases = {
        bound.lstrip("=")
        for statement in table.statements
        for module, _, name, bound in statement.effects.imports
        if stem in (name, module.rpartition(".")[2])
    }
    # As a value (an argument, a list's item) a module can come to code that reads by computed names.
    handed = any(chain in aliases for statement in table.statements for chain in statement.effects.reads)
    for statement in table.statements:
        effects = statement.effects
        asks = handed and BY_NAME in effects.traits
        for chain in effects.reads:
            root, _, rest = chain.partition(".")
            if names is None:
                asks = asks or (root in aliases and bool(rest) and rest.partition(".")[0] not in defined)
            else:
                # The root is a name of this file; what is asked of a module comes after a dot.
                asks = asks or not names.isdisjoint(chain.split(".")[1:])
        imported = {name for _, _, name, _ in effects.imports if name}
        asked = imported | (set(effects.strings) if handed else set())
        asks = asks or (not asked.isdisjoint(names) if names is not None else bool(imported & aliases))
        if asks:
            yield table.scopes[statement.scope].name
