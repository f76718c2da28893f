"""The evidence of one recording, turned round: from lines to the tests that executed them, as sets in one
integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from maestro_selection.effects import BY_NAME, COMPUTED, LISTING, RUNNING
from maestro_selection.program import Program
from maestro_selection.records import Recording, Trace, span
from maestro_selection.records import Test as RecordedTest
from maestro_selection.tables import FileTable


class Evidence:
    """What the tests of one recording executed.

    Sets of tests are integers: bit n stands for the n-th of `nodes`.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.nodes: list[str] = list(recording.tests)
        self.place = {node: number for number, node in enumerate(self.nodes)}
        self.all = (1 << len(self.nodes)) - 1
        self._by_file: dict[str, dict[int, int]] | None = None
        self._cache: dict[tuple[str, int], int] = {}
        self._of_file: dict[str, int] = {}
        self._traits: dict[str, int] = {}
        self._importing: dict[str, list[tuple[str, int]]] = {}
        for number, test in enumerate(recording.tests.values()):
            self._of_file[test.path] = self._of_file.get(test.path, 0) | 1 << number
        for importer, trace in recording.imports.items():
            for path, bits in trace.lines.items():
                self._importing.setdefault(path, []).append((importer, bits))
        self.tables = {path: FileTable.from_json(table) for path, table in recording.tables.items()}

    def test(self, number: int) -> RecordedTest:
        """The n-th test."""
        return self.recording.tests[self.nodes[number]]

    def members(self, mask: int) -> Iterator[int]:
        """The numbers in a set of tests."""
        while mask:
            low = mask & -mask
            yield low.bit_length() - 1
            mask ^= low

    def executing(self, path: str, lines: int) -> int:
        """Tests that executed one of these lines in any of their phases or fixtures."""
        if self._by_file is None:
            self._turn_round()
        assert self._by_file is not None
        key = (path, lines)
        if key not in self._cache:
            mask = 0
            for bits, tests in self._by_file.get(path, {}).items():
                if bits & lines:
                    mask |= tests
            self._cache[key] = mask
        return self._cache[key]

    def _turn_round(self) -> None:
        self._by_file = {}
        for number, test in enumerate(self.recording.tests.values()):
            joined: dict[str, int] = {}
            for step in test.steps:
                for path, bits in step.trace.lines.items():
                    joined[path] = joined.get(path, 0) | bits
            for path, bits in joined.items():
                found = self._by_file.setdefault(path, {})
                found[bits] = found.get(bits, 0) | 1 << number

    def looking_up(self, program: Program) -> int:
        """Tests that look attributes up by computed names."""
        return self.with_traits(program, BY_NAME + RUNNING)

    def enumerating(self, program: Program) -> int:
        """Tests that go through all attributes of something, or put names of attributes together."""
        return self.with_traits(program, LISTING + COMPUTED + RUNNING)

    def with_traits(self, program: Program, traits: str) -> int:
        """Tests that executed a statement, in a function, with one of these traits."""
        if traits not in self._traits:
            mask = 0
            for path, table in program.tables.items():
                for index, statement in enumerate(table.statements):
                    if set(statement.effects.traits) & set(traits) and not table.at_import(statement.scope):
                        mask |= self.executing(path, own_span(table, index))
            self._traits[traits] = mask
        return self._traits[traits]

    def using_file(self, path: str) -> int:
        """Tests that executed any line of a file."""
        return self.executing(path, -1)

    def in_file(self, path: str) -> int:
        """Tests that are defined in a file."""
        return self._of_file.get(path, 0)

    def in_files(self, paths: Iterable[str]) -> int:
        """Tests that are defined in any of these files."""
        mask = 0
        for path in paths:
            mask |= self.in_file(path)
        return mask

    def below(self, folder: str) -> int:
        """Tests that are defined in a folder or below it."""
        prefix = f"{folder}/" if folder else ""
        return self.in_files(path for path in self._of_file if path.startswith(prefix))

    def needing(self, program: Program, path: str, *, surely: bool = False) -> int:
        """Tests that need a file to be imported: those that are defined in, or execute, what imports it.

        `surely`: not by imports that were not executed when they were recorded.
        """

        def ran(place: tuple[str, int]) -> bool:
            file, index = place
            return not surely or self.ran_at_import(file, own_span(program.tables[file], index)) is not False

        mask = self.using_file(path)
        for file in program.importers(path, ran):
            mask |= self.in_file(file) | self.using_file(file)
            folder, _, name = file.rpartition("/")
            if name == "conftest.py":
                mask |= self.below(folder)
        return mask

    def importing(self, path: str, lines: int) -> list[str]:
        """Files whose import executed one of these lines of a file."""
        return [importer for importer, bits in self._importing.get(path, ()) if bits & lines]

    def ran_at_import(self, path: str, lines: int) -> bool | None:
        """Whether the import of a file executed any of its own lines among these; None when it is not
        known.
        """
        trace = self.recording.imports.get(path)
        if trace is None:
            return None if self._unseen(path) else False
        return bool(trace.lines.get(path, 0) & lines)

    def _unseen(self, path: str) -> bool:
        kinds = {"imported-early", "outside", "unmeasured"}
        return any(note.path == path and note.kind in kinds for note in self.recording.notes) or bool(
            self.using_file(path)
        )

    def using_fixture(self, key: str) -> int:
        """Tests that used a fixture."""
        mask = 0
        for number, test in enumerate(self.recording.tests.values()):
            if key in test.fixtures:
                mask |= 1 << number
        return mask

    def traces(self, number: int) -> Iterator[Trace]:
        """The traces of a test."""
        for step in self.test(number).steps:
            yield step.trace

    def finding(self, path: str, turned: Sequence[str]) -> int:
        """Tests that opened a file, or could see that these paths came or went."""
        mask = 0
        for number in range(len(self.nodes)):
            if any(finds(trace, path, turned) for trace in self.traces(number)):
                mask |= 1 << number
        return mask

    def turning(self, path: str, gone: Set[str]) -> tuple[str, ...]:
        """What is there on one side only, when a file comes or goes (with all of `gone`): itself, and the
        folders that hold nothing else.
        """
        found = [path]
        folder = path.rpartition("/")[0]
        while folder and not any(
            other.startswith(f"{folder}/") for other in self.recording.files if other not in gone
        ):
            found.append(folder)
            folder = folder.rpartition("/")[0]
        return tuple(found)

    def unfollowed(self) -> int:
        """Tests that started a Python process which could not be followed."""
        mask = 0
        for number in range(len(self.nodes)):
            for trace in self.traces(number):
                if any(p.program.startswith("python") and not p.followed for p in trace.processes):
                    mask |= 1 << number
        return mask


def finds(trace: Trace, path: str, turned: Sequence[str]) -> bool:
    """Whether a stretch of the run opened a file, or could see that these paths came or went."""
    if path in trace.opened:
        return True
    for each in turned:
        # What is tried to be opened or listed, and is not there, is sought as well.
        if each in trace.sought or each in trace.opened or each in trace.listed:
            return True
        if (each.rpartition("/")[0] or ".") in trace.listed:
            return True
    return False


def own_span(table: FileTable, index: int) -> int:
    """The lines of a statement's own part."""
    statement = table.statements[index]
    return span(statement.first, statement.last)
