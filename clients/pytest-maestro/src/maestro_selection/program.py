"""The files of a repository as one program: which statement of any file reads a given name or attribute.

A value that code can read is a slot. `path::name` is a global name of a file, `.name` an attribute of
whatever object.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from maestro_selection.changes import Layout
from maestro_selection.effects import Effects
from maestro_selection.records import span
from maestro_selection.tables import CLASS, MODULE, FileTable

Place = tuple[str, int]  # a file, and the index of a statement in its table

STAR = "*"

# Functions of these modules give values of the standard library, and so do these built-in ones.
PLAIN_MODULES = frozenset(
    "re json os sys datetime decimal fractions uuid math time hashlib hmac io pathlib string struct "
    "base64 binascii urllib "
    "textwrap shutil platform locale subprocess tempfile secrets statistics calendar zlib gzip bz2".split()
)
GIVING_BUILTINS = frozenset(
    "str bytes bytearray int float complex bool len repr ascii chr ord hash id abs round sum range dict "
    "list set tuple "
    "frozenset open format hex oct bin enumerate divmod memoryview dir".split()
)


def attribute(chain: str) -> str:
    """The last name of a chain."""
    return chain.rstrip("()").rpartition(".")[2]


def root_of(chain: str) -> str:
    """The first name of a chain."""
    return chain.partition(".")[0].rstrip("()")


def global_slot(path: str, name: str) -> str:
    """The slot of a file's global name."""
    return f"{path}::{name}"


class Program:
    """The tables of all Python files, joined by their imports.

    Parameters
    ----------
    tables : mapping of str to FileTable
        By path.
    """

    def __init__(self, tables: Mapping[str, FileTable]) -> None:
        self.tables = tables
        self.packages = {posixpath.dirname(path) for path in tables if path.endswith("/__init__.py")}
        self.modules: dict[str, list[str]] = {}
        self.layouts: dict[str, Layout] = {}
        for path in tables:
            for name in self.names_for(path):
                self.modules.setdefault(name, []).append(path)
        self.bound: dict[str, dict[str, list[int]]] = {}
        self.star_imports: dict[str, list[str]] = {}
        for path, table in tables.items():
            self._bindings(path, table)
        self._readers: dict[str, list[Place]] | None = None
        self._functions: dict[str, list[tuple[str, int]]] | None = None
        self._classes: dict[str, list[tuple[str, int]]] | None = None
        self._named: dict[str, list[tuple[str, int]]] | None = None
        self._class_values: dict[str, list[Place]] | None = None
        self._below: dict[str, list[tuple[str, int]]] | None = None
        self._importers: dict[str, set[Place]] | None = None

    def names_for(self, path: str) -> Iterator[str]:
        """The dotted names that a file can be imported by: from its package's top, or from any folder
        above.
        """
        stem = path[: -len(posixpath.splitext(path)[1])]
        parts = stem.split("/")
        if parts[-1] == "__init__":
            parts.pop()
        top = len(parts) - 1
        while top > 0 and "/".join(parts[:top]) in self.packages:
            top -= 1
        for start in range(top, -1, -1):
            if parts[start:]:
                yield ".".join(parts[start:])

    def _bindings(self, path: str, table: FileTable) -> None:
        bound: dict[str, list[int]] = {}
        for index, statement in enumerate(table.statements):
            effects = statement.effects
            in_module = table.scopes[statement.scope].kind == MODULE
            # In a function only names declared global are among those that it binds.
            if in_module or table.scopes[statement.scope].kind != CLASS:
                for name in effects.binds:
                    bound.setdefault(name, []).append(index)
            if in_module and any(one[2] == STAR for one in effects.imports):
                for one in effects.imports:
                    self.star_imports.setdefault(path, []).extend(self.imported(path, one[0], one[1]))
        self.bound[path] = bound

    def layout(self, path: str) -> Layout:
        """The statements of a file by block."""
        if path not in self.layouts:
            self.layouts[path] = Layout(self.tables[path])
        return self.layouts[path]

    # Modules

    def imported(self, path: str, module: str, level: int) -> list[str]:
        """The files that an import in `path` can mean; none when it is not of the repository."""
        if not level:
            return self.modules.get(module, [])
        folder = posixpath.dirname(path)
        for _ in range(level - 1):
            folder = posixpath.dirname(folder)
        stem = posixpath.join(folder, *module.split(".")) if module else folder
        options = (f"{stem}.py", f"{stem}/__init__.py", f"{stem}.pyi")
        return [option for option in options if option in self.tables]

    def submodule(self, path: str, name: str) -> list[str]:
        """The file of a submodule of a package, when `path` is a package's `__init__.py`."""
        if posixpath.basename(path) != "__init__.py":
            return []
        folder = posixpath.dirname(path)
        options = (posixpath.join(folder, f"{name}.py"), posixpath.join(folder, name, "__init__.py"))
        return [option for option in options if option in self.tables]

    def imports_of(self, path: str) -> Iterator[tuple[int, str, str, str]]:
        """Imports of repository files in a file: statement, the file, the name taken (empty: the module),
        the name bound.
        """
        for index, statement in enumerate(self.tables[path].statements):
            for module, level, name, bound in statement.effects.imports:
                for target in self.imported(path, module, level):
                    yield index, target, name, bound
                    for inner in self.submodule(target, name) if name else ():
                        yield index, inner, "", bound
                if not name:
                    # `import a.b` imports a as well.
                    parts = module.split(".")
                    for size in range(1, len(parts)):
                        for target in self.imported(path, ".".join(parts[:size]), 0):
                            yield index, target, "", bound

    def importers(self, path: str, ran: Callable[[Place], bool] = lambda _: True) -> set[str]:
        """Files that import a file when they are imported themselves, directly or through others; itself
        too. `ran` tells of an import whether it counts: one for annotations alone is never executed.
        """
        if self._importers is None:
            self._importers = {}
            for other, table in self.tables.items():
                for index, target, _, _ in self.imports_of(other):
                    if table.at_import(table.statements[index].scope):
                        self._importers.setdefault(target, set()).add((other, index))
                for package in self._packages_around(other):
                    self._importers.setdefault(package, set()).add((other, -1))
        found, stack = {path}, [path]
        while stack:
            for other, index in self._importers.get(stack.pop(), ()):
                if other not in found and (index < 0 or ran((other, index))):
                    found.add(other)
                    stack.append(other)
        return found

    def _packages_around(self, path: str) -> Iterator[str]:
        folder = posixpath.dirname(path)
        while folder in self.packages:
            if f"{folder}/__init__.py" != path:
                yield f"{folder}/__init__.py"
            folder = posixpath.dirname(folder)

    # Names

    def slots(self, path: str, chain: str) -> set[str]:
        """The slots that are read by a name or attribute chain in a file."""
        if chain.startswith((".", "self.")):
            return {"." + attribute(chain)}
        if "()" in chain:
            called, _, rest_of = chain.partition("()")
            return set() if self.gives_builtin(path, called) else {"." + attribute(rest_of)}
        root, *rest = chain.split(".")
        found = {global_slot(path, root)}
        if root not in self.bound[path]:
            return found | ({"." + part for part in rest} if path in self.star_imports else set())
        modules, opaque = self._meaning(path, root)
        for place, part in enumerate(rest):
            following: set[str] = set()
            for module in modules:
                inner = self.submodule(module, part)
                following.update(inner)
                found.add(global_slot(module, part))
                if part in self.bound[module] or (not inner and module in self.star_imports):
                    more, value = self._meaning(module, part)
                    following.update(more)
                    opaque = opaque or (value and place + 1 < len(rest))
            if opaque:
                found.update("." + one for one in rest[place:])
            modules = following
        return found

    def gives_builtin(self, path: str, function: str) -> bool:
        """Whether a call gives a value whose attributes are none of the repository's."""
        root = function.split(".", maxsplit=1)[0]
        places = self.bound[path].get(root)
        if not places:
            return function in GIVING_BUILTINS and path not in self.star_imports
        for index in places:
            imports = self.tables[path].statements[index].effects.imports
            modules = {one[0].split(".")[0] for one in imports if one[3].lstrip("=") == root and not one[1]}
            if not modules or not modules <= PLAIN_MODULES or any(self.modules.get(name) for name in modules):
                return False
        return True

    def _meaning(self, path: str, name: str, depth: int = 0) -> tuple[set[str], bool]:
        """The repository's modules that a global name can be, and whether it can be any other value of the
        repository's.
        """
        modules: set[str] = set()
        value = False
        for index in self.bound[path].get(name, ()):
            statement = self.tables[path].statements[index]
            matching = [one for one in statement.effects.imports if one[3].lstrip("=") == name]
            if not matching:
                value = True
            for module, level, taken, bound in matching:
                if not taken:
                    whole = module if bound.startswith("=") else module.split(".")[0]
                    modules.update(self.imported(path, whole, 0))
                    continue
                for target in self.imported(path, module, level):
                    inner = self.submodule(target, taken)
                    modules.update(inner)
                    if taken in self.bound[target] and depth < 5:
                        more, other = self._meaning(target, taken, depth + 1)
                        modules.update(more)
                        value = value or other
                    elif not inner:
                        value = True
        if name not in self.bound[path]:
            value = True
        return modules, value

    def is_module(self, path: str, name: str) -> bool:
        """Whether a global name of a file can be nothing but a module."""
        if name not in self.bound[path]:
            return False
        modules, value = self._meaning(path, name)
        return bool(modules) and not value

    def readers(self, slot: str) -> list[Place]:
        """Statements, of any file, that read a slot."""
        if self._readers is None:
            self._readers = {}
            for path, table in self.tables.items():
                for index, statement in enumerate(table.statements):
                    for read in self._read_by(path, statement.effects):
                        self._readers.setdefault(read, []).append((path, index))
        found = list(self._readers.get(slot, ()))
        path, _, name = slot.rpartition("::")
        name = name if path else slot[1:]
        if path:
            # A module can be held in a variable, though not in the one that a method's own object is in.
            found += self._readers.get("." + name, ())
        else:
            found += self._readers.get("self." + name, ())
        return list(dict.fromkeys(found))

    def spelled(self, string: str) -> Iterator[str]:
        """The slots that a string such as `package.module.name` or `package.module:name` spells."""
        parts = re.split("[.:]", string)
        for count in range(1, len(parts)):
            for target in self.modules.get(".".join(parts[:count]), ()):
                yield global_slot(target, parts[count])
                yield from ("." + part for part in parts[count + 1 :])

    def mentions(self, name: str) -> list[Place]:
        """Statements that have a string which is this name."""
        self.readers(".")
        assert self._readers is not None
        return self._readers.get("'" + name, [])

    def where(self, place: Place) -> str:
        """A statement's place for people."""
        path, index = place
        table = self.tables[path]
        statement = table.statements[index]
        scope = table.scopes[statement.scope].name
        return f"{path}:{statement.first}" + (f" ({scope})" if scope else "")

    def inside(self, path: str, scope: int) -> int:
        """The lines of a function's body."""
        table = self.tables[path]
        around = table.scopes[scope]
        own = table.statements[around.statement]
        return span(around.first, around.last) & ~span(own.first, own.last)

    def _read_by(self, path: str, effects: Effects) -> set[str]:
        found: set[str] = set()
        for chain in effects.reads:
            found |= {chain} if chain.startswith("self.") else self.slots(path, chain)
        for text in effects.strings:
            found.add("'" + text)
            found.update(self.spelled(text))
        for module, level, name, _ in effects.imports:
            if not name:
                continue
            for target in self.imported(path, module, level):
                found.add(global_slot(target, name))
        return found

    # Definitions

    def functions(self, name: str) -> list[tuple[str, int]]:
        """Functions of a simple name that are defined in a class: file and scope."""
        if self._functions is None:
            self._functions = {}
            for path, table in self.tables.items():
                for number, scope in enumerate(table.scopes):
                    if scope.kind == "function" and table.scopes[scope.parent].kind == CLASS:
                        self._functions.setdefault(scope.name.rpartition(".")[2], []).append((path, number))
        return self._functions.get(name, [])

    def classes(self, name: str) -> list[tuple[str, int]]:
        """Classes of a simple name: file and scope."""
        if self._classes is None:
            self._classes = {}
            for path, table in self.tables.items():
                for number, scope in enumerate(table.scopes):
                    if scope.kind == CLASS:
                        self._classes.setdefault(scope.name.rpartition(".")[2], []).append((path, number))
        return self._classes.get(name, [])

    def star_importers(self, path: str) -> list[str]:
        """Files that import everything from a file."""
        return [other for other, targets in self.star_imports.items() if path in targets]

    def named(self, name: str) -> list[tuple[str, int]]:
        """Functions and classes of a simple name: file and scope."""
        if self._named is None:
            self._named = {}
            for path, table in self.tables.items():
                for number, scope in enumerate(table.scopes):
                    if number:
                        self._named.setdefault(attribute(scope.name), []).append((path, number))
        return self._named.get(name, [])

    def class_values(self, name: str) -> list[Place]:
        """Statements in the bodies of classes that bind a name."""
        if self._class_values is None:
            self._class_values = {}
            for path, table in self.tables.items():
                for index, statement in enumerate(table.statements):
                    if table.scopes[statement.scope].kind == CLASS:
                        for bound in statement.effects.binds:
                            self._class_values.setdefault(bound, []).append((path, index))
        return self._class_values.get(name, [])

    def family(self, name: str) -> list[tuple[str, int]]:
        """Classes of a simple name, those that they come from, and those that come from them."""
        if self._below is None:
            self._below = {}
            for path, table in self.tables.items():
                for number, scope in enumerate(table.scopes):
                    for base in scope.bases:
                        self._below.setdefault(attribute(base), []).append((path, number))
        found: dict[tuple[str, int], None] = dict.fromkeys(self.classes(name))
        up, down = list(found), [name]
        while up:
            path, number = up.pop()
            for base in self.tables[path].scopes[number].bases:
                for one in self.classes(attribute(base)):
                    if one not in found:
                        found[one] = None
                        up.append(one)
        seen = {name}
        while down:
            for one in self._below.get(down.pop(), ()):
                found[one] = None
                simple = attribute(self.tables[one[0]].scopes[one[1]].name)
                if simple not in seen:
                    seen.add(simple)
                    down.append(simple)
        return list(found)

    def direct_importers(self, path: str) -> set[str]:
        """Files that import a file when they are imported themselves."""
        self.importers(path)
        assert self._importers is not None
        return {other for other, _ in self._importers.get(path, ())}
