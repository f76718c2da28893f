"""Which fixture a parameter of a test or fixture gets, by pytest's rules of visibility.

Fixtures are found from the test outwards: its class and the classes around it, its module (imported
fixtures count), the conftest.py files of its folder and those above it up to the root, and plugins;
the nearest definition wins. A fixture that asks for its own name gets the next one outwards
("Override a fixture on various levels" in pytest's how-to guides). Names that `parametrize` sets
directly are no fixtures. A fixture asks as the test that uses it would: its parameters may get
what that test's module overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from posixpath import basename
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graph.ingest.python.configuration import Configuration
from graph.ingest.python.records import Target
from graph.ingest.python.tests import Discovery, Names, conftests
from graph.ingest.python.traits import FixtureMark, FrameworkRecord, Function
from graph.schema import Sort

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

Chain: TypeAlias = tuple["Level", ...]


class Level(NamedTuple):
    """The fixtures of one place, by name in the order pytest registers them, and its autouse names."""

    fixtures: dict[str, list[Target]]
    autouse: tuple[str, ...]
    marked: tuple[str, ...] = ()
    """Names that `usefixtures` marks of the place ask for."""
    shadowed: frozenset[str] = frozenset()
    """Names that `parametrize` marks of the place set directly."""
    parametrized: bool = False


@dataclass(slots=True)
class FixtureTable:
    """What tests and fixtures are handed.

    A parameter has one fixture, except where a fixture's own parameter is overridden for some
    of the tests that use it: then the fixture seen from its own file comes first.
    """

    discovery: Discovery
    parameters: dict[Target, dict[str, tuple[Target, ...]]] = field(default_factory=dict)
    """By test or fixture: parameter name to fixture definitions."""
    autouse: dict[Target, tuple[Target, ...]] = field(default_factory=dict)
    usefixtures: dict[Target, tuple[Target, ...]] = field(default_factory=dict)
    requested: dict[Target, tuple[Target, ...]] = field(default_factory=dict)
    """By function: fixtures it asks for by `request.getfixturevalue("name")`."""
    parametrized: set[tuple[str, str]] = field(default_factory=set)
    """(path, id) of the tests that run once for each of several parameters."""
    plugins: tuple[str, ...] = ()
    """Paths of modules of the program that pytest loads as plugins."""


def table(program: Program, configuration: Configuration | None = None) -> FixtureTable:
    """Find the tests of a program and what each is handed; needs nothing but its records.

    Parameters
    ----------
    program : Program
    configuration : Configuration, optional
        What `configuration.read` made of the tree's files; pytest's defaults where not given.
    """
    configuration = configuration or Configuration()
    names = Names(program)
    builder = _Builder(names, Discovery(program, configuration, names))
    builder.tests()
    builder.strays()
    builder.requests()
    return builder.table


class _Builder:
    def __init__(self, names: Names, discovery: Discovery) -> None:
        self.names = names
        self.program = names.program
        self.discovery = discovery
        self.table = FixtureTable(discovery)
        self.marks: dict[Target, FixtureMark] = {}
        self.functions: dict[Target, Function] = {}
        self.static: set[Target] = set()
        self.given: dict[Target, list[tuple[int, frozenset[str]]]] = {}
        self._index()
        self.varied = {target for target, mark in self.marks.items() if mark.parametrized}
        self._levels: dict[tuple[str, Target | None], Level] = {}
        self._chains: dict[tuple[str, tuple[Target, ...]], Chain] = {}
        self.table.plugins = tuple(dict.fromkeys(self._plugins()))
        self._global = self._merged(self._level(path) for path in self.table.plugins)

    def _index(self) -> None:
        for path, record in self._records():
            for mark in record.fixtures:
                self.marks[Target(path, mark.place)] = mark
        wanted = {case.function for case in self.discovery.cases} | self.marks.keys()
        for path, record in self._records():
            for function in record.functions:
                target = Target(path, function.place)
                if target in wanted:
                    self.functions[target] = function
            for decoration in record.decorations:
                target = Target(path, decoration.place)
                if target in wanted and isinstance(decoration.value, int):
                    self._given(target, record, decoration.value)
                elif decoration.value == "staticmethod":
                    self.static.add(target)

    def _given(self, target: Target, record: FrameworkRecord, value: int) -> None:
        """hypothesis fills parameters itself: those named, or as many as given from the right."""
        call = record.calls[value]
        if isinstance(call.callee, str) and call.callee.rpartition(".")[2] == "given":
            keys = [key for key, _ in call.arguments]
            count = len({key for key in keys if isinstance(key, int)})
            self.given.setdefault(target, []).append(
                (count, frozenset(k for k in keys if isinstance(k, str)))
            )

    def _records(self) -> Iterator[tuple[str, FrameworkRecord]]:
        for path, record in self.program.records.items():
            if record.frameworks is not None:
                yield path, record.frameworks

    def _plugins(self) -> Iterator[str]:
        """Modules named by `pytest_plugins`, by `-p` in the settings, or by a `pytest11` entry point."""
        for path, record in self._records():
            if path in self.discovery.modules or basename(path) == "conftest.py":
                for text in record.texts:
                    if text.taker == "pytest_plugins":
                        yield from self._plugin(text.text, ())
        for settings in self.discovery.configuration.settings.values():
            for name in settings.plugins:
                yield from self._plugin(name, ())
        for entry in self.discovery.configuration.entries:
            if entry.group == "pytest11":
                yield from self._plugin(entry.target.partition(":")[0].strip(), ())

    def _plugin(self, dotted: str, seen: tuple[str, ...]) -> Iterator[str]:
        for path in self.program.paths_of(dotted):
            record = self.program.records[path].frameworks
            if path in seen or record is None:
                continue
            yield path
            for text in record.texts:
                if text.taker == "pytest_plugins":
                    yield from self._plugin(text.text, (*seen, path))

    # Levels and chains

    def _level(self, path: str, holder: Target | None = None) -> Level:
        known = self._levels.get((path, holder))
        if known is None:
            held = self.names.module(path) if holder is None else self.names.klass(holder)
            known = self._levels[(path, holder)] = self._read_level(held, holder or Target(path, 0))
        return known

    def _read_level(self, held: dict[str, Target], place: Target) -> Level:
        fixtures: dict[str, list[Target]] = {}
        autouse: list[str] = []
        for name in sorted(held):  # pytest registers what dir() lists, in its order
            target = held[name]
            mark = self.marks.get(target)
            if mark is not None:
                called = mark.name or name
                fixtures.setdefault(called, []).append(target)
                if mark.autouse:
                    autouse.append(called)
        marked, shadowed, parametrized = self._marked(place)
        return Level(fixtures, tuple(autouse), marked, shadowed, parametrized)

    def _marked(self, place: Target) -> tuple[tuple[str, ...], frozenset[str], bool]:
        """usefixtures names, names that parametrize sets directly, and whether there is a parametrize."""
        bases = self.program.mro(place) if self.names.sort(place) is Sort.CLASS else (place,)
        marked: list[str] = []
        shadowed: set[str] = set()
        parametrized = False
        for base in bases:
            record = self.program.records[base.path].frameworks
            for mark in record.marks if record is not None else ():
                if mark.place != base.place:
                    continue
                if mark.kind == "usefixtures":
                    marked.extend(mark.names)
                else:
                    parametrized = True
                    shadowed.update(set(mark.names) - set(mark.indirect))
        return tuple(marked), frozenset(shadowed), parametrized

    def _merged(self, levels: Iterable[Level]) -> Level:
        fixtures: dict[str, list[Target]] = {}
        autouse: list[str] = []
        for level in levels:
            for name, targets in level.fixtures.items():
                fixtures.setdefault(name, []).extend(targets)
            autouse.extend(level.autouse)
        return Level(fixtures, tuple(autouse))

    def chain(self, path: str, holders: tuple[Target, ...]) -> Chain:
        """The levels that a test in these classes of a file sees, outermost first."""
        known = self._chains.get((path, holders))
        if known is None:
            if holders:
                known = (*self.chain(path, holders[:-1]), self._level(path, holders[-1]))
            else:
                root = self.discovery.configuration.of(path).root
                above = [own for own in conftests(self.program.records, path, root) if own != path]
                levels = [self._bare(self._level(own)) for own in above]
                own = () if path in self.table.plugins else (self._level(path),)
                known = (self._global, *levels, *own)
            self._chains[(path, holders)] = known
        return known

    @staticmethod
    def _bare(level: Level) -> Level:
        """A conftest's level: marks in it mark nothing."""
        return Level(level.fixtures, level.autouse)

    # Who is handed what

    def tests(self) -> None:
        """Parameters, autouse fixtures and marks of every test, and what their fixtures ask for."""
        walked: set[tuple[str, tuple[Target, ...], frozenset[str], Target]] = set()
        for case in self.discovery.cases:
            chain = self.chain(case.path, case.holders)
            marked, own, parametrized = self._marked(case.function)
            shadowed = own.union(*(level.shadowed for level in chain))
            parametrized = parametrized or any(level.parametrized for level in chain)
            used = {
                "parameter": {} if case.unittest else self._handed(case.function, chain, shadowed),
                "autouse": _found(chain, (name for level in chain for name in level.autouse)),
                "usefixtures": _found(chain, (*marked, *(name for level in chain for name in level.marked))),
            }
            self._note(self.table.parameters, case.function, used["parameter"])
            for store, how in ((self.table.autouse, "autouse"), (self.table.usefixtures, "usefixtures")):
                targets = (*store.get(case.function, ()), *used[how].values())
                if targets:
                    store[case.function] = tuple(dict.fromkeys(targets))
            for names in used.values():
                for name, fixture in names.items():
                    key = (case.path, case.holders, shadowed, fixture)
                    if key not in walked:
                        self._follow(name, fixture, chain, shadowed, (), walked, key[:3])
            if parametrized or self._parametrized(used, chain, shadowed):
                self.table.parametrized.add((case.path, case.identifier))

    def _parametrized(
        self, used: dict[str, dict[str, Target]], chain: Chain, shadowed: frozenset[str]
    ) -> bool:
        """Whether any fixture that a test's own ones lead to has parameters."""
        if not self.varied:
            return False
        seen: set[Target] = set()
        waiting = [fixture for names in used.values() for fixture in names.values()]
        while waiting:
            fixture = waiting.pop()
            if fixture not in seen:
                seen.add(fixture)
                waiting.extend(self._handed(fixture, chain, shadowed).values())
        return not self.varied.isdisjoint(seen)

    def _follow(
        self,
        name: str,
        fixture: Target,
        chain: Chain,
        shadowed: frozenset[str],
        open_: tuple[str, ...],
        walked: set[tuple[str, tuple[Target, ...], frozenset[str], Target]],
        key: tuple[str, tuple[Target, ...], frozenset[str]],
    ) -> None:
        """Note what a fixture asks for, and what that asks for; `open_` are the names being set up."""
        walked.add((*key, fixture))
        now = (*open_, name)
        handed = {}
        for parameter in self._asked(fixture):
            visible = _visible(chain, parameter)
            outwards = now.count(parameter)
            if parameter not in shadowed and len(visible) > outwards:
                handed[parameter] = visible[-1 - outwards]
        self._note(self.table.parameters, fixture, handed)
        for parameter, inner in handed.items():
            if (*key, inner) not in walked:
                self._follow(parameter, inner, chain, shadowed, now, walked, key)

    def _handed(self, target: Target, chain: Chain, shadowed: frozenset[str]) -> dict[str, Target]:
        """Parameters of a test or fixture with their fixtures, as seen from a chain."""
        handed = {}
        for name in self._asked(target):
            visible = _visible(chain, name)
            if name in shadowed or not visible:
                continue
            at = visible.index(target) - 1 if target in visible else len(visible) - 1
            if at >= 0:
                handed[name] = visible[at]
        return handed

    def _asked(self, target: Target) -> tuple[str, ...]:
        """Names that pytest takes for fixtures: parameters without default, not by position alone."""
        function = self.functions.get(target)
        if function is None:
            return ()
        names = [*function.positional[function.unnamed :], *function.keywords]
        if self.names.sort(target) is Sort.METHOD and target not in self.static:
            names = names[1:] if function.unnamed == 0 else names
        names = [name for name in names if name not in function.optional]
        names = names[function.injected :]
        for count, keywords in self.given.get(target, ()):
            names = [name for name in (names[:-count] if count else names) if name not in keywords]
        return tuple(names)

    @staticmethod
    def _note(
        store: dict[Target, dict[str, tuple[Target, ...]]], user: Target, handed: dict[str, Target]
    ) -> None:
        if handed:
            known = store.setdefault(user, {})
            for name, fixture in handed.items():
                if fixture not in known.get(name, ()):
                    known[name] = (*known.get(name, ()), fixture)

    def strays(self) -> None:
        """Fixtures seen from their own file come first: also those that no test of the program uses."""
        for fixture in self.marks:
            parent = self.program.records[fixture.path].definitions[fixture.place].parent
            holders = (Target(fixture.path, parent),) if parent > 0 else ()
            if holders and self.names.sort(holders[0]) is not Sort.CLASS:
                holders = ()
            handed = self._handed(fixture, self.chain(fixture.path, holders), frozenset())
            known = self.table.parameters.get(fixture, {})
            merged = {
                name: tuple(
                    dict.fromkeys((*((handed[name],) if name in handed else ()), *known.get(name, ())))
                )
                for name in dict.fromkeys((*handed, *known))
            }
            if merged:
                self.table.parameters[fixture] = merged

    def requests(self) -> None:
        """`request.getfixturevalue("name")` in a function of a file, seen from that file."""
        for path, record in self._records():
            for text in record.texts:
                if text.taker.rpartition(".")[2] in ("getfixturevalue", "getfuncargvalue"):
                    found = _found(self.chain(path, ()), (text.text,))
                    if found:
                        user = Target(path, text.place)
                        self.table.requested[user] = (*self.table.requested.get(user, ()), *found.values())


def _visible(chain: Chain, name: str) -> list[Target]:
    """Definitions of a fixture's name, outermost first."""
    return [target for level in chain for target in level.fixtures.get(name, ())]


def _found(chain: Chain, names: Iterable[str]) -> dict[str, Target]:
    """The nearest definition of each name."""
    found = {}
    for name in dict.fromkeys(names):
        visible = _visible(chain, name)
        if visible:
            found[name] = visible[-1]
    return found
