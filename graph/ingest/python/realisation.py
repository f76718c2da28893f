"""Facts about tests: their nodes, what they realise, what prepares them, and hooks of conftest files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from posixpath import basename
from typing import TYPE_CHECKING

from graph.facts import Fact, Hyperedge, Member, Node, Provenance
from graph.ingest.python.configuration import Configuration
from graph.ingest.python.fixtures import FixtureTable
from graph.ingest.python.records import CallSite, Site, Target
from graph.ingest.python.tests import Case, conftests
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

if TYPE_CHECKING:
    from graph.ingest.python.program import Program

_UNITTEST_CLASS = (
    "setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown", "setUpTestData",
)  # fmt: skip
_UNITTEST_MODULE = ("setUpModule", "tearDownModule")
_PYTEST_CLASS = ("setup_method", "teardown_method", "setup_class", "teardown_class", "setup", "teardown")
_PYTEST_MODULE = ("setup_module", "teardown_module", "setUpModule", "tearDownModule")
_PYTEST_FUNCTION = ("setup_function", "teardown_function")


def test_facts(program: Program, table: FixtureTable) -> Iterator[Fact]:
    """Test nodes, and Realises and Parametrizes edges, of all tests and fixtures of a program."""
    facts = _Facts(program, table)
    for case in table.discovery.cases:
        yield from facts.test(case)
    yield from facts.imported()
    yield from facts.handed()
    yield from facts.prepared()


class _Facts:
    def __init__(self, program: Program, table: FixtureTable) -> None:
        self.program = program
        self.scope = program.scope
        self.table = table
        self.names = table.discovery.names
        self._keys: dict[Target, str] = {}
        self._above: dict[str, tuple[Member, ...]] = {}
        self._setups: dict[tuple[str, Target | None, bool], tuple[Target, ...]] = {}

    def member(self, role: str, target: Target) -> Member:
        key = self._keys.get(target)
        if key is None:
            key = self._keys[target] = self.program.key(target)
        return Member(role, NodeKind.SYMBOL, key)

    def test(self, case: Case) -> Iterator[Fact]:
        framework = "unittest" if case.unittest else "pytest"
        resolver = Resolver.UNITTEST if case.unittest else Resolver.PYTEST
        key = self.scope.test(case.path, case.identifier)
        parametrized = (case.path, case.identifier) in self.table.parametrized
        props = (
            ("framework", framework),
            ("name", case.identifier),
            ("parametrized", parametrized),
            ("path", case.path),
        )
        yield Node(NodeKind.TEST, key, props)
        members = (Member("test", NodeKind.TEST, key), self.member("symbol", case.function))
        yield self._realises(case.path, resolver, framework, members)

    def imported(self) -> Iterator[Fact]:
        """What runs before the tests of a class, or of a module without one: said once for all of them."""
        groups: dict[tuple[str, tuple[Target, ...], bool], list[str]] = {}
        for case in self.table.discovery.cases:
            key = self.scope.test(case.path, case.identifier)
            groups.setdefault((case.path, case.holders, case.unittest), []).append(key)
        for (path, holders, unittest), tests in groups.items():
            framework = "unittest" if unittest else "pytest"
            resolver = Resolver.UNITTEST if unittest else Resolver.PYTEST
            members = (
                *(Member("test", NodeKind.TEST, key) for key in sorted(set(tests))),
                *_ordered((*self._modules(path), *(self.member("module", holder) for holder in holders))),
            )
            yield self._realises(path, resolver, framework, members)

    def _realises(
        self, path: str, resolver: Resolver, framework: str, members: tuple[Member, ...]
    ) -> Hyperedge:
        said_by = Provenance(path, self.program.digest(path), resolver)
        props = (("framework", framework),)
        return Hyperedge(EdgeKind.REALISES, self.scope, members, said_by, Tier.EXACT, Form.NONE, props)

    def _modules(self, path: str) -> tuple[Member, ...]:
        """A file's own module and the conftest modules above it: their top level runs before its tests."""
        known = self._above.get(path)
        if known is None:
            root = self.table.discovery.configuration.of(path).root
            paths = [path, *conftests(self.program.records, path, root)]
            known = tuple(self.member("module", Target(own, 0)) for own in paths)
            self._above[path] = known
        return known

    def handed(self) -> Iterator[Fact]:
        """Who is handed which fixtures, and how they were asked for."""
        parameters = {
            user: tuple(dict.fromkeys(target for found in names.values() for target in found))
            for user, names in self.table.parameters.items()
        }
        for how, store in (
            ("parameter", parameters),
            ("autouse", self.table.autouse),
            ("usefixtures", self.table.usefixtures),
            ("requested", self.table.requested),
        ):
            yield from self._parametrizes(store, how)

    def prepared(self) -> Iterator[Fact]:
        """setUp, setup_method and their like, of the concrete class and the test's module."""
        users: dict[Target, dict[Target, None]] = {}
        for case in self.table.discovery.cases:
            holder = case.holders[-1] if case.holders else None
            found = self._prepares(case.path, holder, case.unittest)
            if found:
                users.setdefault(case.function, {}).update(dict.fromkeys(found))
        yield from self._parametrizes({user: tuple(found) for user, found in users.items()}, "setup")

    def _prepares(self, path: str, holder: Target | None, unittest: bool) -> tuple[Target, ...]:
        key = (path, holder, unittest)
        known = self._setups.get(key)
        if known is None:
            module = self.names.module(path)
            wanted = _UNITTEST_MODULE if unittest else _PYTEST_MODULE
            found = [module.get(name) for name in (*wanted, *(() if holder else _PYTEST_FUNCTION))]
            if holder is not None:
                held = self.names.klass(holder)
                found += [held.get(name) for name in (_UNITTEST_CLASS if unittest else _PYTEST_CLASS)]
            known = tuple(
                target
                for target in found
                if target is not None and self.names.sort(target) in (Sort.FUNCTION, Sort.METHOD)
            )
            self._setups[key] = known
        return known

    def _parametrizes(self, store: Mapping[Target, tuple[Target, ...]], how: str) -> Iterator[Fact]:
        """One hyperedge for all users in a file that are handed the same fixtures."""
        groups: dict[tuple[str, tuple[Target, ...]], list[Target]] = {}
        for user, found in store.items():
            fixtures = tuple(dict.fromkeys(fixture for fixture in found if fixture != user))
            if fixtures:
                groups.setdefault((user.path, fixtures), []).append(user)
        for (path, fixtures), users in groups.items():
            members = (
                *_ordered(self.member("user", user) for user in users),
                *_ordered(self.member("fixture", fixture) for fixture in fixtures),
            )
            said_by = Provenance(path, self.program.digest(path), Resolver.PYTEST)
            yield Hyperedge(
                EdgeKind.PARAMETRIZES, self.scope, members, said_by, Tier.EXACT, Form.NONE, (("how", how),)
            )


def _ordered(members: Iterable[Member]) -> list[Member]:
    """Members of one role by key, each once: the store need then keep no places of them."""
    return sorted(set(members), key=attrgetter("key"))


def hook_calls(program: Program, table: FixtureTable) -> Iterator[CallSite]:
    """Hooks of conftest and plugin modules: reached from the module, whose tests they influence."""
    names = table.discovery.names
    for path in program.records:
        if basename(path) == "conftest.py" or path in table.plugins:
            for name, target in names.module(path).items():
                if name.startswith("pytest_") and names.sort(target) is Sort.FUNCTION:
                    definition = program.records[target.path].definitions[target.place]
                    line = definition.mark if target.path == path else 1
                    yield CallSite(
                        Target(path, 0),
                        Site(line, 0, line, 0),
                        (target,),
                        Tier.HIERARCHY,
                        Form.HANDED,
                        Resolver.PYTEST,
                        name=name,
                    )


def diagnoses(program: Program, configuration: Configuration) -> Iterator[Fact]:
    """Configuration files that could not be read: pytest's defaults hold for their folders."""
    scope = program.scope
    for path, line, message in configuration.unread:
        code = "python.configuration"
        key = scope.diagnosis(path, code)
        hint = "Mend the file; until then pytest's defaults are taken for its folder."
        props = (("code", code), ("hint", hint), ("line", line), ("message", message), ("severity", "note"))
        yield Node(NodeKind.DIAGNOSIS, key, props)
        members = (
            Member("file", NodeKind.FILE, scope.file(path)),
            Member("diagnosis", NodeKind.DIAGNOSIS, key),
        )
        said_by = Provenance(path, program.digest(path), Resolver.FRAMEWORK)
        yield Hyperedge(EdgeKind.DIAGNOSED, scope, members, said_by, Tier.EXACT)
