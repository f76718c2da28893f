"""Which tests a program has, and under which ids their runner knows them.

Follows pytest's rules ("Conventions for Python test discovery") and unittest's for classes that
derive from a `TestCase`: names, files, folders and `__test__`, inherited methods once for every
concrete class, classes with an `__init__` or `__new__` left out. Parameters are never guessed: a
parametrized test is one test.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING, NamedTuple

from graph.ingest.python.configuration import Configuration, Settings
from graph.ingest.python.records import Target
from graph.schema import Sort

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

_CALLABLE = frozenset({Sort.FUNCTION, Sort.METHOD})
_MAKES = "pytest_pycollect_makeitem"
_UNITTEST_FILE = "test*.py"
_MADE = ("dataclass", "dataclasses.dataclass", "attr.s", "attrs.define", "define", "attr.define", "frozen")
"""Class decorators that write an `__init__`."""


class Case(NamedTuple):
    """A test: the file that runs it, its id there, its function, the classes around it (outermost first)."""

    path: str
    identifier: str
    function: Target
    holders: tuple[Target, ...]
    unittest: bool


class Names:
    """What the namespaces of a program's modules and classes hold, as far as pytest looks into them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._children: dict[str, dict[int, dict[str, int]]] = {}
        self._every: dict[str, dict[int, dict[str, list[int]]]] = {}
        self._modules: dict[str, dict[str, Target]] = {}
        self._classes: dict[Target, dict[str, Target]] = {}

    def children(self, path: str, place: int) -> dict[str, int]:
        """Definitions right inside a module or class, by name; the last of a name wins.

        A variable of the same name as a function above it is taken for the function, wrapped.
        """
        found = self._children.get(path)
        if found is None:
            found = self._children[path] = {}
            definitions = self.program.records[path].definitions
            for at, definition in sorted(enumerate(definitions), key=lambda item: item[1].mark):
                if at == 0:
                    continue
                names = found.setdefault(definition.parent, {})
                name = definition.qualname.rpartition(".")[2]
                if definition.sort in _VALUES and name in names:
                    continue
                names[name] = at
        return found.get(place, {})

    def every(self, path: str, place: int, name: str) -> list[int]:
        """All definitions of a name right inside a definition: conditions may choose between them."""
        found = self._every.get(path)
        if found is None:
            found = self._every[path] = {}
            for at, definition in enumerate(self.program.records[path].definitions):
                last = definition.qualname.rpartition(".")[2]
                found.setdefault(definition.parent, {}).setdefault(last, []).append(at)
        return found.get(place, {}).get(name, [])

    def module(self, path: str, *, _open: tuple[str, ...] = ()) -> dict[str, Target]:
        """Names at a module's top level with what they stand for in the program, imports followed."""
        found = self._modules.get(path)
        if found is not None:
            return found
        record = self.program.records[path].frameworks
        found = {}
        if record is not None:
            for name in record.imported:
                if name.startswith("*"):
                    for source in self._starred(path, name[1:]):
                        if source not in _open:
                            inner = self.module(source, _open=(*_open, path))
                            found.update((k, v) for k, v in inner.items() if not k.startswith("_"))
                    continue
                for target in self.program.resolve(path, 0, name):
                    found[name] = target
        found.update((name, Target(path, place)) for name, place in self.children(path, 0).items())
        for name in record.deleted if record is not None else ():
            found.pop(name, None)
        if not _open:
            self._modules[path] = found
        return found

    def _starred(self, path: str, module: str) -> tuple[str, ...]:
        bare = module.lstrip(".")
        level = len(module) - len(bare)
        if level:
            base = self.program.module_of(path).split(".")
            if basename(path) != "__init__.py":
                base = base[:-1]
            base = base[: len(base) - level + 1]
            bare = ".".join([*base, bare] if bare else base)
        return tuple(self.program.paths_of(bare))

    def klass(self, target: Target) -> dict[str, Target]:
        """Names that instances of a class have, by the class's own MRO."""
        found = self._classes.get(target)
        if found is None:
            found = {}
            for base in reversed(self.program.mro(target)):
                found.update(
                    (name, Target(base.path, place))
                    for name, place in self.children(base.path, base.place).items()
                )
            self._classes[target] = found
        return found

    def sort(self, target: Target) -> Sort:
        """What a target is."""
        return self.program.records[target.path].definitions[target.place].sort


_VALUES = frozenset({Sort.CONSTANT, Sort.ATTRIBUTE})


class Discovery:
    """Finds the tests of a program; `cases` are in the order of paths and definitions."""

    def __init__(self, program: Program, configuration: Configuration, names: Names | None = None) -> None:
        self.program = program
        self.configuration = configuration
        self.names = names or Names(program)
        self.fixtures = {
            Target(path, mark.place)
            for path, record in program.records.items()
            if record.frameworks is not None
            for mark in record.frameworks.fixtures
        }
        self._untested = {
            Target(path, place)
            for path, record in program.records.items()
            if record.frameworks is not None
            for place in record.frameworks.untested
        }
        self._unittest: dict[Target, bool] = {}
        self._ignored = _ignored(program)
        self._own_rule = any(_MAKES in self.names.children(path, 0) for path in program.records)
        self.modules: dict[str, Settings] = {}
        """Test modules with the settings that hold for them."""
        self.cases: list[Case] = []
        for path in sorted(program.records):
            settings = configuration.of(path)
            pytest_file = _collects(path, settings, settings.files) and not self._refused(path)
            if pytest_file or _collects(path, settings, (_UNITTEST_FILE,)):
                before = len(self.cases)
                self._module(path, settings, pytest_file)
                if pytest_file or len(self.cases) > before:
                    self.modules[path] = settings

    def _refused(self, path: str) -> bool:
        folder = path
        while folder:
            if folder in self._ignored.paths:
                return True
            folder = dirname(folder)
        return any(fnmatch(path, pattern) for pattern in self._ignored.patterns)

    def _module(self, path: str, settings: Settings, pytest_file: bool) -> None:
        if Target(path, 0) in self._untested:
            return
        for name, target in self.names.module(path).items():
            sort = self.names.sort(target)
            if sort is Sort.CLASS:
                self._class(path, settings, name, (target,), pytest_file)
            elif (
                pytest_file and sort in _CALLABLE and _named(name, settings.functions) and self._runs(target)
            ):
                self.cases.append(Case(path, name, target, (), False))

    def _runs(self, target: Target) -> bool:
        return target not in self.fixtures and target not in self._untested

    def _class(
        self, path: str, settings: Settings, name: str, holders: tuple[Target, ...], pytest_file: bool
    ) -> None:
        held = holders[-1]
        if any(base in self._untested for base in self.program.mro(held)[:1]) or held in holders[:-1]:
            return
        unittest = self.is_unittest(held)
        if not unittest and not (pytest_file and self._wanted(held, name, settings)):
            return
        members = self.names.klass(held)
        if not unittest and self._inherits_refusal(held):
            return
        prefixes = ("test",) if unittest else settings.functions
        prefix = "::".join([*(self._name(holder) for holder in holders[:-1]), name])
        found = False
        for member, target in members.items():
            sort = self.names.sort(target)
            if sort in _CALLABLE and self._runs(target) and _named(member, prefixes):
                found = True
                self.cases.append(Case(path, f"{prefix}::{member}", target, holders, unittest))
            elif sort is Sort.CLASS and not unittest and len(holders) < 8:
                self._class(path, settings, member, (*holders, target), pytest_file)
        if unittest and not found and "runTest" in members:
            self.cases.append(Case(path, f"{prefix}::runTest", members["runTest"], holders, True))

    def _wanted(self, held: Target, name: str, settings: Settings) -> bool:
        """Whether pytest takes a class for one of tests, by its name or by a hook of the program's own.

        What a `pytest_pycollect_makeitem` hook decides cannot be read; projects that have one let
        test classes derive from a base of theirs.
        """
        if _named(name, settings.classes) and not self._initialised(held):
            return True
        return self._own_rule and not name.startswith("_") and len(self.program.mro(held)) > 1

    def _name(self, target: Target) -> str:
        return self.program.records[target.path].definitions[target.place].qualname.rpartition(".")[2]

    def _inherits_refusal(self, held: Target) -> bool:
        """`__test__` is read through the MRO: the nearest class that sets it decides."""
        for base in self.program.mro(held):
            if base in self._untested:
                return True
            if "__test__" in self.names.children(base.path, base.place):
                return False
        return False

    def _initialised(self, held: Target) -> bool:
        """Whether pytest sees an `__init__` or `__new__` that is not object's."""
        members = self.names.klass(held)
        if "__init__" in members or "__new__" in members:
            return True
        for base in self.program.mro(held):
            record = self.program.records[base.path].frameworks
            if record is not None:
                for decoration in record.decorations:
                    if (
                        decoration.place == base.place
                        and self._decorator(record.calls, decoration.value) in _MADE
                    ):
                        return True
        return any(_has_constructor(name) for name in self.program.external_bases(held))

    @staticmethod
    def _decorator(calls: list, value: str | int) -> str:  # type: ignore[type-arg]
        while isinstance(value, int):
            value = calls[value].callee
        return value

    def is_unittest(self, held: Target) -> bool:
        """Whether a class derives from `unittest.TestCase` or a framework's own, wherever that is."""
        known = self._unittest.get(held)
        if known is None:
            known = any(
                name.rpartition(".")[2].endswith("TestCase") for name in self.program.external_bases(held)
            )
            self._unittest[held] = known
        return known


class _Ignored(NamedTuple):
    paths: frozenset[str]
    patterns: tuple[str, ...]


def _ignored(program: Program) -> _Ignored:
    """What `collect_ignore` and `collect_ignore_glob` of conftest.py files leave out."""
    paths, patterns = set(), []
    for path, record in program.records.items():
        if basename(path) == "conftest.py" and record.frameworks is not None:
            for text in record.frameworks.texts:
                if text.taker in ("collect_ignore", "collect_ignore_glob"):
                    whole = normpath(join(dirname(path), text.text))
                    if text.taker == "collect_ignore":
                        paths.add(whole)
                    else:
                        patterns.append(whole)
    return _Ignored(frozenset(paths), tuple(patterns))


def _collects(path: str, settings: Settings, patterns: tuple[str, ...]) -> bool:
    name = basename(path)
    if name == "conftest.py":
        return False
    if not any(
        (fnmatch(f"/{path}", f"*/{pattern}") if "/" in pattern else fnmatch(name, pattern))
        for pattern in patterns
    ):
        return False
    below = dirname(path)[len(settings.root) :].strip("/")
    folders = below.split("/") if below else []
    return not any(fnmatch(folder, pattern) for folder in folders for pattern in settings.not_entered)


def _named(name: str, options: tuple[str, ...]) -> bool:
    """pytest's rule for `python_functions` and `python_classes`: a prefix, or a glob."""
    for option in options:
        if name.startswith(option):
            return True
        if any(sign in option for sign in "*?[") and fnmatch(name, option):
            return True
    return False


_PLAIN = frozenset({"object", "Generic", "Protocol", "ABC"})


def _has_constructor(name: str) -> bool:
    """Whether a class outside the program brings an `__init__` or `__new__`, as far as can be known."""
    last = name.rpartition(".")[2]
    if last in (
        "NamedTuple",
        "Enum",
        "IntEnum",
        "StrEnum",
        "Flag",
        "IntFlag",
        "TypedDict",
        "Thread",
        "BaseModel",
    ):
        return True
    found = getattr(builtins, last, None) if name in (last, f"builtins.{last}") else None
    return isinstance(found, type) and last not in _PLAIN


def conftests(records: Mapping[str, object], path: str, root: str) -> Iterator[str]:
    """The conftest.py files that hold for a file, from the root's down to its own folder's."""
    folders = []
    folder = dirname(path)
    while True:
        folders.append(folder)
        if folder in (root, "") or not (folder + "/").startswith(root + "/" if root else ""):
            break
        folder = dirname(folder)
    for folder in reversed(folders):
        candidate = join(folder, "conftest.py")
        if candidate in records:
            yield candidate
