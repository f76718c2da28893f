"""Reads the text of a CODEOWNERS file, in GitHub's or GitLab's dialect, into rules.

A bad line never costs the others: it is skipped, as the hosts do, and said as a problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import NamedTuple

from graph.ingest.patterns import Matcher, PatternError, compile_github, compile_gitlab

MAX_APPROVALS = 1_000_000


@unique
class Dialect(StrEnum):
    """Whose rules a file follows."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line: files that match the pattern belong to these owners; none: to nobody.

    `section` is empty outside GitLab's sections; `approvals` is how many of them must approve, 0
    in an optional section.
    """

    line: int
    pattern: str
    owners: tuple[str, ...]
    section: str = ""
    approvals: int = 1


class RuleMatch(NamedTuple):
    """The rule that decides about a path, in one section."""

    rule: Rule

    @property
    def owners(self) -> tuple[str, ...]:
        """Who owns the path by this rule; nobody, if the rule takes ownership away."""
        return self.rule.owners


class Problem(NamedTuple):
    """What is wrong with a line (1-based)."""

    line: int
    code: str
    message: str


class Rules:
    """The rules of a file; `problems` are the lines that were skipped."""

    def __init__(self, dialect: Dialect, rules: list[Rule], problems: list[Problem]) -> None:
        self.dialect = dialect
        self.rules = tuple(rules)
        self.problems = tuple(problems)
        build = compile_github if dialect is Dialect.GITHUB else compile_gitlab
        groups: dict[str, list[Rule]] = {}
        for rule in rules:
            groups.setdefault(rule.section.casefold(), []).append(rule)
        self._sections = [
            (group, Matcher([build(rule.pattern) for rule in group]), _exclusions(dialect, group))
            for group in groups.values()
        ]

    def match(self, path: str) -> list[RuleMatch]:
        """The deciding rule of each section (GitHub: one) that says anything about a path.

        Last match wins. In GitLab's dialect a section whose exclusion (`!pattern`) matches says
        nothing.
        """
        found = []
        for group, matcher, exclusions in self._sections:
            place = matcher.last(path)
            if place >= 0 and not any(matcher.matches(i, path) for i in exclusions):
                found.append(RuleMatch(group[place]))
        return found


def _exclusions(dialect: Dialect, rules: list[Rule]) -> tuple[int, ...]:
    if dialect is Dialect.GITHUB:
        return ()
    return tuple(i for i, rule in enumerate(rules) if rule.pattern.startswith("!"))


_OWNER = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9_-]|\[bot\])*(?:/[A-Za-z0-9_.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_OWNER_GITLAB = re.compile(r"@@?[A-Za-z0-9_.](?:[A-Za-z0-9_./-])*|[^\s@]+@[^\s@]+")
_HEADING = re.compile(r"(\^)?\[([^\]]+)\](?:\[(-?\d+)\])?(?:\s+(.*))?$")
_FIELD = re.compile(r"(?:\\.|[^\s\\])+|\\$")


def parse_codeowners(text: str, dialect: Dialect | str | None = None) -> Rules:
    """Read a file's text; without a dialect, section headings tell GitLab's.

    Never raises for what the text holds: `Rules.problems` says what is wrong with it.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if dialect is None:
        sectioned = any(_HEADING.match(line.strip()) for line in lines)
        dialect = Dialect.GITLAB if sectioned else Dialect.GITHUB
    if Dialect(dialect) is Dialect.GITHUB:
        return _parse_github(lines)
    return _parse_gitlab(lines)


def _parse_github(lines: list[str]) -> Rules:
    rules: list[Rule] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        fields = _fields(line, inline_comments=True)
        if not fields:
            continue
        pattern, *owners = fields
        try:
            compile_github(pattern)
        except PatternError as error:
            problems.append(Problem(number, "codeowners.pattern", f"Line {number}: {error}."))
            continue
        if bad := [owner for owner in owners if not _OWNER.fullmatch(owner)]:
            message = f"Line {number}: {bad[0]!r} is neither @user, @organisation/team nor an e-mail address."
            problems.append(Problem(number, "codeowners.owner", message))
            continue
        rules.append(Rule(number, pattern, tuple(dict.fromkeys(owners))))
    return Rules(Dialect.GITHUB, rules, problems)


def _fields(line: str, *, inline_comments: bool) -> list[str]:
    """Words of a line, a backslash keeping a space in one; none for blank lines and comments."""
    line = line.strip()
    if line.startswith("#"):
        return []
    fields: list[str] = []
    for word in _FIELD.findall(line):
        # A comment begins where a word does; a number sign inside a word is part of it.
        if inline_comments and fields and word.startswith("#"):
            break
        fields.append(word)
    return fields


@dataclass(slots=True)
class _Section:
    name: str = ""
    approvals: int = 1
    owners: tuple[str, ...] = ()


def _parse_gitlab(lines: list[str]) -> Rules:
    rules: list[Rule] = []
    problems: list[Problem] = []
    section = _Section()
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        heading = _HEADING.match(line.strip())
        if heading:
            name = names.setdefault(heading[2].strip().casefold(), heading[2].strip())
            approvals = 0 if heading[1] else min(max(int(heading[3] or 1), 1), MAX_APPROVALS)
            section = _Section(name, approvals, _gitlab_owners((heading[4] or "").split(), number, problems))
            continue
        fields = _fields(line, inline_comments=False)
        if fields:
            _add_gitlab(fields, number, section, rules, problems)
    return Rules(Dialect.GITLAB, rules, problems)


def _add_gitlab(
    fields: list[str], number: int, section: _Section, rules: list[Rule], problems: list[Problem]
) -> None:
    pattern, *rest = fields
    if pattern.startswith(("[", "^[")):
        # GitLab takes such a line for an entry; it still was meant as a heading.
        problems.append(
            Problem(number, "codeowners.section", f"Line {number}: the section heading is malformed.")
        )
    try:
        compile_gitlab(pattern)
    except PatternError as error:
        problems.append(Problem(number, "codeowners.pattern", f"Line {number}: {error}."))
        return
    owners = _gitlab_owners(rest, number, problems)
    if pattern.startswith("!"):
        owners = ()
    elif not owners:
        owners = section.owners
        if not owners:
            message = f"Line {number}: the entry names no owner, and its section has none either."
            problems.append(Problem(number, "codeowners.no-owner", message))
            return
    rules.append(Rule(number, pattern, owners, section.name, section.approvals))


def _gitlab_owners(words: list[str], number: int, problems: list[Problem]) -> tuple[str, ...]:
    """The owners among words; others are ignored, as GitLab does, and said."""
    if bad := [word for word in words if not _OWNER_GITLAB.fullmatch(word) and not word.startswith("#")]:
        message = f"Line {number}: {bad[0]!r} is no @user, @group, @@role or e-mail address; ignored."
        problems.append(Problem(number, "codeowners.owner", message))
    return tuple(dict.fromkeys(word for word in words if _OWNER_GITLAB.fullmatch(word)))
