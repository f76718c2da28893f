"""Who wrote and who reviewed what, from the arrays of history: files under the names they bear now."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from graph.facts import Hyperedge, Node
from graph.incidence import Incidence
from graph.schema import EdgeKind, NodeKind


class Contributor(NamedTuple):
    """An Owner that commits name: people are places in `Contributions.people`."""

    key: str
    name: str
    handle: str
    bot: bool


class Contribution(NamedTuple):
    """A commit: `how` its reviewers are known (trailer, export, merge); times in Unix seconds.

    `files` are paths as they are called now, `then` as the commit called them, in the same order;
    `before` maps paths that the commit moved to what they were called before it.
    """

    commit: str
    at: int
    subject: str
    authors: tuple[int, ...]
    reviewers: tuple[int, ...]
    how: str
    files: tuple[str, ...]
    then: tuple[str, ...]
    before: dict[str, str]


@dataclass(frozen=True)
class Contributions:
    """Everyone, and every commit by somebody, oldest first."""

    people: tuple[Contributor, ...]
    commits: tuple[Contribution, ...]

    @cached_property
    def by_file(self) -> dict[str, list[int]]:
        """Places of the commits that touch a file by its present name, oldest first."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, commit in enumerate(self.commits):
            for path in commit.files:
                found[path].append(place)
        return dict(found)

    @cached_property
    def now(self) -> dict[str, str]:
        """What a path that some commit named is called now; of several that bore it, the latest."""
        return {
            then: path
            for commit in self.commits
            for then, path in zip(commit.then, commit.files, strict=True)
        }

    @cached_property
    def by_id(self) -> dict[str, int]:
        """Place of each commit by its full id."""
        return {commit.commit: place for place, commit in enumerate(self.commits)}

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each person by the key of their Owner."""
        return {person.key: place for place, person in enumerate(self.people)}

    @cached_property
    def _called(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for place, person in enumerate(self.people):
            address = person.key.partition("/")[2]
            for word in {address.casefold(), person.handle.casefold(), person.name.casefold()} - {""}:
                found[word].append(place)
        return dict(found)

    def called(self, text: str) -> list[int]:
        """Everybody whose address, `@handle` or name is this, in whatever case; `Name <address>` too."""
        plain = text.strip()
        if plain.endswith(">") and "<" in plain:
            plain = plain[plain.rindex("<") + 1 : -1].strip()
        return self._called.get(plain.casefold(), [])


def read_contributions(history: Incidence) -> Contributions:
    """All commits of the arrays of the history family."""
    nodes: dict[tuple[NodeKind, str], dict[str, object]] = {}
    edges: list[Hyperedge] = []
    moved: dict[str, dict[str, str]] = defaultdict(dict)
    prefix = len(history.scope.file(""))
    for fact in history.facts():
        if isinstance(fact, Node):
            nodes[fact.kind, fact.key] = dict(fact.props)
        elif fact.kind is EdgeKind.AUTHORED:
            edges.append(fact)
        elif fact.kind is EdgeKind.RENAMED_FROM and fact.members[0].kind is NodeKind.FILE:
            ends = {member.role: member.key[prefix:] for member in fact.members}
            moved[str(dict(fact.props)["commit"])][ends["now"]] = ends["before"]
    people: dict[str, int] = {}
    commits = []
    now: dict[str, str] = {}
    # Newest first: what a file is called now is known before what it was called then.
    for edge in sorted(edges, key=_newest_first):
        commits.append(_contribution(edge, nodes, people, moved, now, prefix))
    known = tuple(_contributor(key, nodes[NodeKind.OWNER, key]) for key in people)
    return Contributions(known, tuple(reversed(commits)))


def _newest_first(edge: Hyperedge) -> tuple[int, str]:
    return -_whole(dict(edge.props).get("at", 0)), edge.members[0].key


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _contributor(key: str, props: dict[str, object]) -> Contributor:
    return Contributor(key, str(props.get("name", "")), str(props.get("handle", "")), bool(props.get("bot")))


def _contribution(
    edge: Hyperedge,
    nodes: dict[tuple[NodeKind, str], dict[str, object]],
    people: dict[str, int],
    moved: dict[str, dict[str, str]],
    now: dict[str, str],
    prefix: int,
) -> Contribution:
    roles: dict[str, list[str]] = defaultdict(list)
    for member in edge.members:
        roles[member.role].append(member.key)
    change = nodes[NodeKind.CHANGE, roles["change"][0]]
    commit = str(change["commit"])
    before = moved.get(commit, {})
    for new, old in before.items():
        now[old] = now.get(new, new)
    then = [key[prefix:] for key in roles["file"]]
    called = {path: now.get(path, path) for path in then if path not in before.values()}
    # Two paths may have become one since: it counts once.
    called = {path: name for name, path in {name: path for path, name in called.items()}.items()}
    return Contribution(
        commit=commit,
        at=_whole(change.get("at", 0)),
        subject=str(change.get("subject", "")),
        authors=tuple(people.setdefault(key, len(people)) for key in roles["author"]),
        reviewers=tuple(
            people.setdefault(key, len(people)) for key in roles["reviewer"] if key not in roles["author"]
        ),
        how=str(dict(edge.props).get("how", "")),
        files=tuple(called.values()),
        then=tuple(called),
        before=before,
    )
