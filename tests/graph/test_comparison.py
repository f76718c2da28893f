"""Setting two sides beside each other: every start has its reason, and what cannot be seen starts nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from graph.comparison import Comparison, Moved, Reason, compare
from graph.facts import Fact, Hyperedge, Member, Node, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.ingest.git import FileChange
from graph.overlay import Version
from graph.pairing import Shape, pair
from graph.schema import EdgeKind, Form, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("t", "r")
SORTS = {"F": Sort.FUNCTION, "C": Sort.CLASS, "A": Sort.ATTRIBUTE, "K": Sort.CONSTANT, "M": Sort.MODULE}


def key(label: str) -> str:
    path, _, name = label.partition("::")
    return SCOPE.symbol(path, name)


class Tree:
    """Facts of one side: files as {path: {name: "sort code signature decoration documentation"}}."""

    def __init__(self, files: Mapping[str, Mapping[str, str]]) -> None:
        self.facts: list[Fact] = []
        for path, symbols in files.items():
            self.facts.append(file_node(SCOPE, path, "python"))
            members = [Member("file", NodeKind.FILE, SCOPE.file(path))]
            for line, (name, text) in enumerate(symbols.items(), 1):
                sort, *digests = text.split()
                digests += ["0"] * (4 - len(digests))
                self.facts.append(symbol_node(SCOPE, path, name, SORTS[sort]))
                digest = "".join(part.rjust(8, "0") for part in digests)
                members.append(
                    Member("symbol", NodeKind.SYMBOL, SCOPE.symbol(path, name), line, line, line, digest)
                )
            said = Provenance(path, "", Resolver.SYNTAX)
            self.facts.append(Hyperedge(EdgeKind.CONTAINS, SCOPE, tuple(members), said))

    def edge(self, kind: EdgeKind, *members: str, tier: Tier | None = Tier.EXACT, line: int = 1) -> Tree:
        """Members as `role=path::name`."""
        found = []
        for member in members:
            role, _, label = member.partition("=")
            found.append(Member(role, NodeKind.SYMBOL, key(label)))
        said = Provenance(members[0].partition("=")[2].partition("::")[0], "", Resolver.SCOPES)
        self.facts.append(Hyperedge(kind, SCOPE, tuple(found), said, tier, Form.NONE, (("lines", (line,)),)))
        return self

    def call(self, caller: str, callee: str, tier: Tier = Tier.EXACT, line: int = 1) -> Tree:
        return self.edge(EdgeKind.CALLS, f"caller={caller}", f"callee={callee}", tier=tier, line=line)

    def diagnose(self, path: str) -> Tree:
        diagnosis = Node(NodeKind.DIAGNOSIS, SCOPE.diagnosis(path, "syntax"))
        members = (
            Member("file", NodeKind.FILE, SCOPE.file(path)),
            Member("diagnosis", NodeKind.DIAGNOSIS, diagnosis.key),
        )
        said = Provenance(path, "", Resolver.SYNTAX)
        self.facts += [diagnosis, Hyperedge(EdgeKind.DIAGNOSED, SCOPE, members, said)]
        return self

    def built(self) -> Incidence:
        return Incidence.build(self.facts, scope=SCOPE, head=1, commit="c", tree="t")


def modified(*paths: str) -> list[FileChange]:
    return [FileChange("modified", path, path, "1", "2", 100) for path in paths]


def compared(base: Tree, head: Tree, changes: list[FileChange]) -> Comparison:
    return compare(base.built(), head.built(), changes)


def starts(comparison: Comparison) -> dict[str, tuple[Version, tuple[Reason, ...]]]:
    prefix = SCOPE.file("")
    return {start.key.removeprefix(prefix): (start.version, start.reasons) for start in comparison.starts}


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ("F 1", "F 2", (Reason.BODY,)),
        ("F 1 1", "F 1 2", (Reason.SIGNATURE,)),
        ("F 1 1 1", "F 1 1 2", (Reason.DECORATORS,)),
        ("F 1 1 1", "F 2 2 2", (Reason.BODY, Reason.SIGNATURE, Reason.DECORATORS)),
        ("C 1", "C 2", (Reason.CLASS_BODY,)),
        ("C 1 1", "C 1 2", (Reason.BASES,)),
        ("A 1", "A 2", (Reason.VALUE,)),
        ("K 1", "K 2", (Reason.VALUE,)),
        ("M 1", "M 2", (Reason.IMPORT_TIME,)),
        ("M 1 1", "M 2 2", (Reason.IMPORT_TIME,)),
    ],
)
def test_each_digest_is_a_reason(before: str, after: str, reasons: tuple[Reason, ...]):
    found = compared(Tree({"a.py": {"x": before}}), Tree({"a.py": {"x": after}}), modified("a.py"))
    assert starts(found) == {"a.py::x": (Version.BOTH, reasons)}
    assert found.quiet == ()


def test_what_no_run_observes_starts_nothing_and_is_counted():
    base = Tree({"a.py": {"x": "F 1 1 1 1", "y": "F 2"}, "b.py": {"z": "F 3"}})
    head = Tree({"a.py": {"x": "F 1 1 1 2", "y": "F 2"}, "b.py": {"z": "F 3"}})
    found = compared(base, head, modified("a.py", "b.py"))
    assert found.starts == ()
    assert (found.quiet, found.quiet_symbols) == (("a.py", "b.py"), 1)
    assert found.sentence == "2 files changed, nothing that runs differs"


def test_added_and_deleted_symbols_start_on_their_sides():
    found = compared(Tree({"a.py": {"x": "F 1"}}), Tree({"a.py": {"y": "F 2"}}), modified("a.py"))
    assert starts(found) == {
        "a.py::x": (Version.BASE, (Reason.DELETED,)),
        "a.py::y": (Version.HEAD, (Reason.ADDED,)),
    }


def test_a_renamed_symbol_starts_under_both_keys():
    found = compared(Tree({"a.py": {"x": "F 7 8"}}), Tree({"a.py": {"y": "F 7 8"}}), modified("a.py"))
    assert starts(found) == {
        "a.py::x": (Version.BASE, (Reason.RENAMED,)),
        "a.py::y": (Version.HEAD, (Reason.RENAMED,)),
    }
    assert [start.other for start in found.starts] == [key("a.py::y"), key("a.py::x")]


def test_the_user_of_a_deleted_symbol_needs_no_start_of_its_own():
    files = {"a.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}
    base = Tree(files).call("b.py::use", "a.py::x")
    head = Tree({"a.py": {}, "b.py": {"use": "F 2"}})
    found = compared(base, head, modified("a.py"))
    assert starts(found) == {"a.py::x": (Version.BASE, (Reason.DELETED,))}


def test_resolution_that_moved_starts_at_the_user_and_tells_the_edges():
    files = {"a.py": {"A.run": "F 1", "B.run": "F 2", "make": "F 3"}, "b.py": {"use": "F 4"}}
    base = Tree(files).call("b.py::use", "a.py::A.run")
    files["a.py"] = {**files["a.py"], "make": "F 5"}
    head = Tree(files).call("b.py::use", "a.py::B.run")
    found = compared(base, head, modified("a.py"))
    assert starts(found) == {
        "a.py::make": (Version.BOTH, (Reason.BODY,)),
        "b.py::use": (Version.BOTH, (Reason.RESOLUTION,)),
    }
    assert found.starts[1].moved == (
        Moved(EdgeKind.CALLS, key("a.py::A.run"), Version.BASE),
        Moved(EdgeKind.CALLS, key("a.py::B.run"), Version.HEAD),
    )


def test_sites_kinds_and_tiers_that_move_are_no_resolution():
    files = {"a.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}
    base = Tree(files).call("b.py::use", "a.py::x", Tier.EXACT, 1).call("b.py::use", "a.py::x", Tier.NAME)
    head = Tree(files).edge(
        EdgeKind.REFERENCES, "reader=b.py::use", "target=a.py::x", tier=Tier.TYPED, line=9
    )
    assert compared(base, head, modified("b.py")).starts == ()


def test_weak_tiers_say_nothing():
    files = {"a.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}
    base = Tree(files).call("b.py::use", "a.py::x", Tier.AMBIGUOUS)
    assert compared(base, Tree(files), modified("b.py")).starts == ()


def test_a_method_that_overrides_another_than_before_starts():
    files = {"a.py": {"A.f": "F 1", "B.f": "F 2", "C.f": "F 3"}}
    base = Tree(files).edge(EdgeKind.OVERRIDES, "override=a.py::C.f", "base=a.py::A.f")
    head = Tree(files).edge(EdgeKind.OVERRIDES, "override=a.py::C.f", "base=a.py::B.f")
    assert starts(compared(base, head, [])) == {"a.py::C.f": (Version.BOTH, (Reason.RESOLUTION,))}


def renamed(old: str, new: str, similarity: int = 100) -> list[FileChange]:
    return [FileChange("renamed", old, new, "1", "1", similarity)]


def test_a_moved_file_starts_nothing_where_its_users_moved_along():
    base = Tree({"old.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}).call("b.py::use", "old.py::x")
    head = Tree({"new.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}).call("b.py::use", "new.py::x")
    found = compared(base, head, [*renamed("old.py", "new.py"), *modified("b.py")])
    assert found.starts == ()
    assert found.moved_files == (("old.py", "new.py"),)
    assert found.sentence == "1 file changed, nothing that runs differs"


def test_who_still_refers_to_the_old_path_starts():
    base = Tree({"old.py": {"x": "F 1"}, "b.py": {"use": "F 2"}}).call("b.py::use", "old.py::x")
    head = Tree({"new.py": {"x": "F 1"}, "b.py": {"use": "F 2"}})
    found = compared(base, head, renamed("old.py", "new.py"))
    assert starts(found) == {"b.py::use": (Version.BOTH, (Reason.RESOLUTION,))}
    assert found.starts[0].moved == (Moved(EdgeKind.CALLS, key("new.py::x"), Version.BASE),)


def test_an_edit_in_a_moved_file_starts_under_its_new_key():
    base, head = Tree({"old.py": {"x": "F 1", "y": "F 1"}}), Tree({"new.py": {"x": "F 2", "y": "F 1"}})
    found = compared(base, head, renamed("old.py", "new.py", 80))
    assert starts(found) == {"new.py::x": (Version.BOTH, (Reason.BODY,))}


def test_files_that_no_reader_knows_start_as_files():
    base, head = Tree({"a.py": {"x": "F 1"}}), Tree({"a.py": {"x": "F 1"}})
    for tree in (base, head):
        tree.facts.append(file_node(SCOPE, "data.toml", "toml"))
    found = compared(base, head, modified("data.toml", "picture.png"))
    assert starts(found) == {"data.toml": (Version.BOTH, (Reason.FILE,))}
    assert found.unsupported == ("data.toml", "picture.png")
    assert found.quiet == ()


def test_a_file_that_no_longer_parses_starts_whole_and_is_named():
    base = Tree({"a.py": {"<module>": "M 1", "x": "F 1"}})
    head = Tree({"a.py": {"<module>": "M 2"}}).diagnose("a.py")
    found = compared(base, head, modified("a.py"))
    assert starts(found) == {
        "a.py::<module>": (Version.BOTH, (Reason.FILE,)),
        "a.py::x": (Version.BASE, (Reason.FILE,)),
    }
    assert found.unparsed == ("a.py",)


def test_an_import_counts_by_what_it_runs():
    names = {"a.py": "M 1", "b.py": "M 0", "acts.py": "M 5", "binds.py": "M 0"}
    files = {path: {"<module>": text} for path, text in names.items()}
    after = {**files, "a.py": {"<module>": "M 1 1"}, "b.py": {"<module>": "M 0 1"}}
    imports = EdgeKind.IMPORTS
    head = Tree(after).edge(imports, "importer=a.py::<module>", "imported=binds.py::<module>", tier=None)
    head.edge(imports, "importer=b.py::<module>", "imported=acts.py::<module>", tier=None)
    found = compared(Tree(files), head, modified("a.py", "b.py"))
    assert starts(found) == {"b.py::<module>": (Version.BOTH, (Reason.IMPORTS,))}
    assert found.quiet == ()


def shapes(*rows: tuple[str, str, Sort, bytes]) -> list[Shape]:
    return [Shape(at, *row) for at, row in enumerate(rows)]


def test_pairing_prefers_what_is_near():
    one, other = b"1", b"2"
    deleted = shapes(
        ("a.py", "C.f", Sort.METHOD, one),
        ("a.py", "f", Sort.FUNCTION, one),
        ("b.py", "g", Sort.FUNCTION, other),
    )
    added = shapes(
        ("a.py", "h", Sort.FUNCTION, one),
        ("a.py", "C.k", Sort.METHOD, one),
        ("c.py", "g", Sort.FUNCTION, other),
    )
    assert sorted(pair(deleted, added)) == [(0, 1), (1, 0), (2, 2)]


def test_pairing_leaves_alone_what_is_no_longer_one_of_a_kind():
    stubs = shapes(("a.py", "f", Sort.FUNCTION, b"0"), ("a.py", "g", Sort.FUNCTION, b"0"))
    assert (
        list(pair(stubs, shapes(("b.py", "h", Sort.FUNCTION, b"0"), ("c.py", "i", Sort.FUNCTION, b"0"))))
        == []
    )


def test_classes_are_paired_with_all_that_they_hold():
    deleted = shapes(("a.py", "A", Sort.CLASS, b"0"), ("a.py", "A.f", Sort.METHOD, b"1"))
    same = shapes(("a.py", "B", Sort.CLASS, b"0"), ("a.py", "B.f", Sort.METHOD, b"1"))
    less = shapes(("a.py", "B", Sort.CLASS, b"0"))
    assert sorted(pair(deleted, same)) == [(0, 0), (1, 1)]
    assert list(pair(deleted, less)) == []
