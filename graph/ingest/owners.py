"""Who answers for which files: CODEOWNERS, found and matched as GitHub and GitLab do.

Places and rules are those of the two hosts' documentation ("About code owners" at GitHub, "Syntax
of CODEOWNERS file" at GitLab): GitHub looks in `.github/`, the root and `docs/`, GitLab in the
root, `docs/` and `.gitlab/`; the first file found counts. What one of a rule's lines says is told
by `codeowners`, which file it applies to by `patterns`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from graph.facts import Batch, Fact, Hyperedge, Member, Node, Provenance, Scope, file_node
from graph.ingest.codeowners import Dialect, Rule, RuleMatch, Rules, parse_codeowners
from graph.ingest.git import Entry, Mirror
from graph.ingest.people import Person, owner_node
from graph.ingest.walk import Finding, diagnosis_facts
from graph.schema import EdgeKind, NodeKind, Resolver, Tier

__all__ = [
    "PLACES",
    "Dialect",
    "Rule",
    "RuleMatch",
    "Rules",
    "find_codeowners",
    "parse_codeowners",
    "read_owners",
]

MAX_SIZE = 3_000_000
"""Bytes from which on GitHub ignores the file."""

PLACES: tuple[tuple[str, Dialect | None], ...] = (
    (".github/CODEOWNERS", Dialect.GITHUB),
    ("CODEOWNERS", None),
    ("docs/CODEOWNERS", None),
    (".gitlab/CODEOWNERS", Dialect.GITLAB),
)
"""Where the file may lie, in order, and whose it then is; None: its syntax tells."""


def find_codeowners(mirror: Mirror, tree: str) -> tuple[Entry, Dialect | None] | None:
    """The CODEOWNERS file that counts in a tree, and its dialect where its place tells."""
    for path, dialect in PLACES:
        entry = mirror.entry(tree, path)
        if entry and entry.kind == "file":
            return entry, dialect
    return None


def read_owners(mirror: Mirror, tree: str, scope: Scope, files: Mapping[str, str]) -> Batch:
    """Owner nodes, Owns edges (one a rule and folder) and diagnoses of bad lines.

    Parameters
    ----------
    files : mapping
        Path to language of every plain file of the tree (`Walk.languages`).
    """
    batch = Batch()
    found = find_codeowners(mirror, tree)
    if found is None:
        return batch
    entry, dialect = found
    if not 0 <= entry.size <= MAX_SIZE:
        batch.add(
            _diagnose(
                scope, entry, "codeowners.too-large", 0, "The file is larger than 3 MB: hosts ignore it."
            )
        )
        return batch
    rules = parse_codeowners(mirror.blob(entry.blob).decode("utf-8", "replace"), dialect)
    for problem in rules.problems:
        batch.add(_diagnose(scope, entry, problem.code, problem.line, problem.message))
    batch.add(_owns(scope, entry, rules, files))
    return batch


def _diagnose(scope: Scope, entry: Entry, code: str, line: int, message: str) -> list[Fact]:
    finding = Finding("warning", message, "The line has no effect; correct it.")
    return diagnosis_facts(
        scope, entry.path, entry.blob, code, finding, resolver=Resolver.CODEOWNERS, line=line
    )


def _owns(scope: Scope, entry: Entry, rules: Rules, files: Mapping[str, str]) -> Iterator[Fact]:
    """Group the files of a rule by folder, so that a new file renews one small edge and not the rule's."""
    groups: dict[tuple[Rule, str], list[str]] = defaultdict(list)
    for path in sorted(files):
        folder = path.rpartition("/")[0]
        for match in rules.match(path):
            groups[match.rule, folder].append(path)
    said_by = Provenance(entry.path, entry.blob, Resolver.CODEOWNERS)
    for (rule, _), paths in groups.items():
        owners = [_owner(scope, name) for name in rule.owners]
        yield from owners
        yield from (file_node(scope, path, files[path]) for path in paths)
        members = [Member("owner", NodeKind.OWNER, owner.key) for owner in owners]
        members += [Member("file", NodeKind.FILE, scope.file(path)) for path in paths]
        props = (
            ("approvals", rule.approvals),
            ("file", entry.path),
            ("line", rule.line),
            ("pattern", rule.pattern),
            ("section", rule.section),
        )
        yield Hyperedge(EdgeKind.OWNS, scope, tuple(members), said_by, Tier.EXACT, props=props)


def _owner(scope: Scope, name: str) -> Node:
    """The Owner of `@user`, `@org/team`, a GitLab role (`@@maintainer`) or an address."""
    if not name.startswith("@"):
        return owner_node(scope, Person("", name))
    props = (("bot", False), ("handle", name), ("name", name), ("person", "/" not in name and name[1] != "@"))
    return Node(NodeKind.OWNER, f"{scope.tenant}/{name.lower()}", props)
