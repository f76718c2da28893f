"""What is required of an environment: lists of distributions, as manifests and lock files hold them.

Requirements are read as the packaging specifications (PEP 508, PEP 440) and pip's requirements files write
them, as far as is needed to tell which distributions differ between two versions of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_NAMED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[^\]]*\])?\s*"
    r"(?:@\s*(?P<url>\S+)|\(?(?P<clauses>[^;()]*)\)?)\s*(?:;(?P<marker>.*))?\Z"
)
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;]+)\Z")
_OF_ONE = re.compile(r"\s--(hash|config-settings|global-option)[=\s]\s*\S+")
_REFERENCE = re.compile(r"(\.|/|~|[A-Za-z]:[\\/]|[a-z+]+://|file:)|.*\.(whl|zip|tar\.gz|tgz)\Z")
_RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)\Z")


class ManifestError(ValueError):
    """A manifest that cannot be read; the text says what of it."""


@dataclass(frozen=True)
class Requirement:
    """One entry of a list.

    Parameters
    ----------
    name : str
        Normalised.
    text : str
        All that it asks for, in one form.
    clauses : tuple of (str, str)
        Of the version: operator and version.
    condition : str
        When it applies: a marker, or what else decides whether it is installed.
    extras : str
        Extras that it asks for.
    needs : frozenset of (str, str)
        For an entry of a lock file: what it brings, by name and full text.
    own : bool
        Whether it is of the repository itself: installed in place, or not at all.
    """

    name: str
    text: str
    clauses: tuple[tuple[str, str], ...] = ()
    condition: str = ""
    extras: str = ""
    needs: frozenset[tuple[str, str]] = frozenset()
    own: bool = False

    @property
    def pin(self) -> str:
        """The one version that it allows, or empty."""
        if len(self.clauses) != 1 or self.clauses[0][0] not in ("==", "==="):
            return ""
        version = self.clauses[0][1]
        return "" if version.endswith("*") else version


@dataclass(frozen=True)
class Listing:
    """A list of requirements in which something differs.

    Parameters
    ----------
    place : str
        Where it stands, for people: a file, or a table of one.
    locked : bool
        Whether it gives each its one version.
    complete : bool
        Whether it names all that these need as well.
    """

    place: str
    old: tuple[Requirement, ...]
    new: tuple[Requirement, ...]
    locked: bool = False
    complete: bool = False

    def moved(self) -> list[str]:
        """Names of the entries that differ."""
        before, after = by_name(self.old), by_name(self.new)
        return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def by_name(requirements: Iterable[Requirement]) -> dict[str, frozenset[Requirement]]:
    """The entries of a list by their names, of which one can have several."""
    found: dict[str, set[Requirement]] = {}
    for each in requirements:
        found.setdefault(each.name, set()).add(each)
    return {name: frozenset(entries) for name, entries in found.items()}


def normalised(name: str) -> str:
    """A distribution's name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(line: str) -> Requirement:
    """One requirement as PEP 508 writes it.

    Raises
    ------
    ManifestError
        When it is none.
    """
    found = _NAMED.match(line.strip())
    if found is None:
        raise ManifestError(f"{line.strip()[:60]!r} is no requirement")
    name, url = normalised(found["name"]), found["url"] or ""
    extras = ",".join(sorted(part.strip().lower() for part in (found["extras"] or "[]")[1:-1].split(",")))
    marker = " ".join((found["marker"] or "").split())
    clauses = tuple(sorted(_clauses(found["clauses"] or "", line)))
    asked = ",".join(f"{operator}{version}" for operator, version in clauses)
    return Requirement(name, f"{name}[{extras}]{url}{asked};{marker}", clauses, marker, extras)


def _clauses(text: str, line: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        if not part.strip():
            continue
        found = _CLAUSE.match(part.strip())
        if found is None:
            raise ManifestError(f"{line.strip()[:60]!r} is no requirement")
        yield found[1], found[2]


def requirements(lines: Iterable[object]) -> tuple[Requirement, ...]:
    """Several requirements; ManifestError where one is none."""
    found = []
    for line in lines:
        if not isinstance(line, str):
            raise ManifestError(f"{str(line)[:60]!r} is no requirement")
        found.append(requirement(line))
    return tuple(found)


def requirements_file(text: str) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """A requirements file of pip's: its requirements, and its other lines (options, paths, addresses).

    Raises
    ------
    ManifestError
        When a line is neither.
    """
    found, others = [], []
    for line in _joined_lines(text):
        if line.startswith("-") or _REFERENCE.match(line):
            others.append(" ".join(line.split()))
            continue
        # Hashes only say which files of the version are let in.
        own = requirement(_OF_ONE.sub("", f"{line} ").strip())
        options = " ".join(sorted(match.group().strip() for match in _OF_ONE.finditer(line)))
        found.append(Requirement(own.name, f"{own.text} {options}", own.clauses, own.condition, own.extras))
    return tuple(found), tuple(others)


def _joined_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text.lstrip("\ufeff")).splitlines():
        plain = re.sub(r"(^|\s)#.*\Z", "", line).strip()
        if plain:
            yield plain


def release(version: str) -> tuple[int, ...] | None:
    """A final version as numbers, trailing zeros left out; None for any other (pre-releases, local ones)."""
    found = _RELEASE.match(version.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def same_version(left: str, right: str) -> bool:
    """Whether two versions are one; in doubt not."""
    if left.strip().lower() == right.strip().lower():
        return True
    known = release(left)
    return known is not None and known == release(right)


def only_raised(old: Sequence[Requirement], new: Sequence[Requirement], version: str) -> bool:
    """Whether all that differs is a lower bound that was raised, and stays below an installed version.

    What is let in beside that version are then fewer older ones; an installer, which prefers the newest,
    comes to the same.
    """
    held = release(version)
    if len(old) != 1 or len(new) != 1 or held is None:
        return False
    before, after = old[0], new[0]
    same = (before.condition, before.extras, _upper(before)) == (after.condition, after.extras, _upper(after))
    if not same or "@" in before.text or _rest(before) != _rest(after):
        return False
    lowest, lower = _lower(before), _lower(after)
    return lowest is not None and lower is not None and lowest <= lower and max(lower, default=(0,)) <= held


def _rest(one: Requirement) -> str:
    """What is asked beyond versions, as an address."""
    asked = ",".join(f"{operator}{version}" for operator, version in one.clauses)
    return one.text.replace(asked, "", 1) if asked else one.text


def _upper(one: Requirement) -> tuple[tuple[str, str], ...]:
    return tuple(clause for clause in one.clauses if clause[0] != ">=")


def _lower(one: Requirement) -> list[tuple[int, ...]] | None:
    """The lower bounds of a requirement; None where they are not plain."""
    found = [release(version) for operator, version in one.clauses if operator == ">="]
    bounds = [each for each in found if each is not None]
    return bounds if len(bounds) == len(found) <= 1 else None
