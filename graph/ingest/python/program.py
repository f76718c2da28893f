"""All Python files of a tree together: module names, definitions by name, classes and their attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graph.facts import Node, Scope, symbol_node
from graph.ingest.python.inference import Evaluator
from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.records import Definition, Target
from graph.ingest.python.roots import Roots
from graph.ingest.python.values import EXTERNAL, METHOD, MODULE, OBJECT, Values
from graph.schema import Sort


class Program:
    """The records of a tree's Python files and the names between them.

    Parameters
    ----------
    scope : Scope
        Whose code it is.
    records : mapping from a path to the file's record
    blobs : mapping from a path to the content digest of the file, for provenance; may be left out
    """

    def __init__(
        self, scope: Scope, records: Mapping[str, ModuleRecord], blobs: Mapping[str, str] | None = None
    ) -> None:
        self.scope = scope
        self.records = records
        self.blobs: Mapping[str, str] = blobs if blobs is not None else {}
        self.names = Roots(records)
        self.evaluator = Evaluator(records, self.names)
        self._making: dict[Target, tuple[Target, ...]] = {}

    @property
    def roots(self) -> tuple[str, ...]:
        """Directories that module names start from, those with most files first; "" is the repository's."""
        return tuple(self.names.list())

    def digest(self, path: str) -> str:
        """Content digest of a file; empty where none was given."""
        return self.blobs.get(path, "")

    def module_of(self, path: str) -> str:
        """Dotted module name of a file, from its own root."""
        return self.names.name(path)

    def paths_of(self, dotted: str, importer: str = "") -> tuple[str, ...]:
        """Files that an absolute module name may mean, as seen from a file (or from nowhere)."""
        stem = self.names.find(dotted, importer)
        if stem is not None and stem in self.names.files:
            return (self.names.files[stem],)
        return ()

    def definition(self, target: Target) -> Definition:
        """The definition that a target points to."""
        return self.records[target.path].definitions[target.place]

    def key(self, target: Target) -> str:
        """Key of a definition's Symbol."""
        definition = self.definition(target)
        return self.scope.symbol(target.path, definition.qualname, definition.ordinal)

    def node(self, target: Target) -> Node:
        """Node of a definition's Symbol."""
        definition = self.definition(target)
        return symbol_node(self.scope, target.path, definition.qualname, definition.sort, definition.ordinal)

    def lookup(self, dotted: str, importer: str = "") -> tuple[Target, ...]:
        """Definitions that an absolute dotted name means, re-exports followed; empty where it is not ours."""
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            stem = self.names.find(".".join(parts[:count]), importer)
            if stem is None:
                continue
            values: Values = self.evaluator.stem(stem)
            for part in parts[count:]:
                values = tuple(item for value in values for item in self.evaluator.member(value, part))
            if values:
                return self.targets(values)
        return ()

    def resolve(self, path: str, within: int, expression: str) -> tuple[Target, ...]:
        """Definitions that a dotted expression means inside a definition (`within`, its place).

        The expression may hold calls and items: `app.tasks[].run`, `make().x` (see module.py on chains).
        """
        return self.targets(self.values(path, within, expression))

    def values(self, path: str, within: int, expression: str) -> Values:
        """All that an expression may stand for inside a definition."""
        file = self.evaluator.files[path]
        place = within
        while place > 0 and place not in file.scopes:
            place = file.record.definitions[place].parent
        return self.evaluator.chain(path, max(place, 0), expression) if expression else ()

    def targets(self, values: Values) -> tuple[Target, ...]:
        """Definitions among values: modules, classes, functions, constants, attributes; not instances."""
        found: dict[Target, None] = {}
        for value in values:
            if value.kind in (OBJECT, METHOD):
                found[value.target] = None
            elif value.kind == MODULE and value.path in self.names.files:
                found[Target(self.names.files[value.path], 0)] = None
        return tuple(found)

    def external(self, path: str, within: int, expression: str) -> str:
        """Dotted name outside the program that an expression means; empty where there is none."""
        for value in self.values(path, within, expression):
            if value.kind == EXTERNAL:
                return value.path
        return ""

    def bases(self, klass: Target) -> tuple[Target, ...]:
        """Direct bases of a class inside the program, in order."""
        return self.evaluator.bases(klass)

    def mro(self, klass: Target) -> tuple[Target, ...]:
        """A class and its bases inside the program, in the order of attribute look-up."""
        if self.definition(klass).sort is not Sort.CLASS:
            return ()
        return self.evaluator.mro(klass)

    def making(self, klass: Target) -> tuple[Target, ...]:
        """What calling a class runs besides `__new__` and `__init__`, `__del__` in the end included."""
        known = self._making.get(klass)
        if known is not None:
            return known
        found = [
            target
            for name in ("__post_init__", "_missing_", "__del__")
            for target in self.attribute(klass, name)
            if self.definition(target).sort is Sort.METHOD
        ]
        for meta in self.evaluator.metaclasses(klass):
            found += self.attribute(meta, "__call__")
        self._making[klass] = made = tuple(dict.fromkeys(found))
        return made

    def constructors(self, klass: Target) -> Iterator[Target]:
        """A class, and the functions of the program that run when it is called."""
        yield klass
        yield from self.making(klass)
        for name in ("__new__", "__init__"):
            for base in self.evaluator.mro(klass):
                found = self.evaluator.own_member(base, name)
                if found:
                    yield from (item.target for item in found if item.kind == OBJECT)
                    break

    def external_bases(self, klass: Target) -> tuple[str, ...]:
        """Dotted names of the bases outside the program, of a class and of its bases."""
        return self.evaluator.outside(klass)

    def attribute(self, klass: Target, name: str) -> tuple[Target, ...]:
        """What an attribute of a class may be, looked up through its bases."""
        if self.definition(klass).sort is not Sort.CLASS:
            return ()
        return self.targets(self.evaluator.class_attribute(klass, name))
