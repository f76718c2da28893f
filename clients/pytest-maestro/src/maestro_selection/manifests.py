"""Manifests: files that say what is installed, what is built and how tests run; two versions compared.

What differs is sorted by who can see it: lists of requirements, which say what is installed; the
distribution's own metadata, for who reads that; settings of tools that no test runs under; and all the
rest, of which nothing is known, so that every test may see it.
"""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maestro_selection import locks, setups
from maestro_selection.changes import FileChange
from maestro_selection.requirements import (
    Listing,
    ManifestError,
    Requirement,
    requirements,
    requirements_file,
)

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None  # type: ignore[assignment,unused-ignore]

OPAQUE = frozenset(
    "pytest.ini .pytest.ini pytest.toml .pytest.toml environment.yml environment.yaml conda-lock.yml "
    "noxfile.py .python-version pixi.toml pixi.lock sitecustomize.py usercustomize.py".split()
)
"""Manifests of which every change may reach every test."""
READ = frozenset("pyproject.toml setup.cfg setup.py tox.ini Pipfile Pipfile.lock".split())
_REQUIREMENTS = re.compile(r"(.*[-_.])?(requirements?|constraints?)([-_.].*)?\.(txt|in|lock)\Z")

METADATA = frozenset(
    "version description readme license license-files requires-python authors maintainers keywords "
    "classifiers urls homepage repository documentation".split()
)
"""Keys of a distribution's own metadata, of `[project]` and `[tool.poetry]`."""
CFG_METADATA = frozenset(
    "version description description_file description_content_type long_description url urls project_urls "
    "long_description_content_type author author_email maintainer maintainer_email classifiers classifier "
    "keywords license license_file license_files platforms home_page home-page summary "
    "download_url".split()
)
TOOLS = frozenset(
    "ruff black mypy isort pylint flake8 coverage pyright basedpyright ty bandit codespell commitizen "
    "towncrier cibuildwheel docformatter pydocstyle interrogate semantic_release bumpversion bumpver "
    "vulture check-manifest check-wheel-contents yapf autopep8 autoflake pyupgrade refurb djlint "
    "tomlsort pycodestyle pep8 typos deptry pyre pytype sphinx doc8 pre-commit".split()
)
"""Tools that read their settings when they are run themselves, and no test runs under."""


@dataclass(frozen=True)
class Difference:
    """What differs between two versions of a manifest, as far as tests can see it.

    Parameters
    ----------
    listings : tuple of Listing
        Lists of requirements in which something differs.
    metadata : tuple of str
        Keys of the distribution's own metadata.
    unknown : tuple of str
        What any test may see, each for people.
    inert : tuple of str
        What no test sees, each for people.
    """

    listings: tuple[Listing, ...] = ()
    metadata: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    inert: tuple[str, ...] = ()


def is_manifest(path: str) -> bool:
    """Whether a file says what is installed or how tests run."""
    folder, name = posixpath.split(path)
    if name in OPAQUE or name in READ or locks.is_toml_lock(name) or _REQUIREMENTS.match(name):
        return True
    inside = posixpath.basename(folder)
    return name.endswith((".txt", ".in")) and _REQUIREMENTS.match(f"{inside}.txt") is not None


def told(change: FileChange, old: bytes | None, new: bytes | None) -> FileChange:
    """A changed manifest with what differs in it; None for a text that is not known, or not there."""
    if not change or not is_manifest(change.path):
        return change
    return replace(change, manifest=compare(change.path, old, new))


def compare(path: str, old: bytes | None, new: bytes | None) -> Difference:
    """What differs between two versions of a manifest.

    Never fails: what cannot be read is told as unknown.
    """
    if old is None or new is None:
        return Difference(unknown=("all of it, since not both of its versions are known",))
    try:
        before, after = (text.decode("utf-8") for text in (old, new))
        return _reader(path)(before, after)
    except UnicodeDecodeError:
        return Difference(unknown=("what it says, since it is no text",))
    except (ManifestError, RecursionError) as error:
        return Difference(unknown=(f"what it says, since it cannot be read: {error}",))


def _reader(path: str) -> Callable[[str, str], Difference]:
    name = posixpath.basename(path)
    if name == "pyproject.toml":
        return lambda old, new: _pyproject(_toml(old), _toml(new))
    if locks.is_toml_lock(name):
        return lambda old, new: _lock(path, locks.toml_lock(_toml(old)), locks.toml_lock(_toml(new)))
    if name == "Pipfile.lock":
        return lambda old, new: _lock(path, locks.pipfile_lock(old), locks.pipfile_lock(new))
    if name == "Pipfile":
        return lambda old, new: _pipfile(_toml(old), _toml(new))
    if name in ("setup.cfg", "tox.ini"):
        return lambda old, new: _sections(_ini(old), _ini(new))
    if name == "setup.py":
        return _setup
    if name in OPAQUE:
        return lambda old, new: Difference(unknown=("what it says",))
    return lambda old, new: _requirements(path, old, new)


def _toml(text: str) -> dict[str, Any]:
    if tomllib is None:
        raise ManifestError("this Python has no tomllib (3.11 has)")
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise ManifestError(f"it is no TOML: {error}") from error


# Lists of requirements


def _lock(
    path: str, old: tuple[tuple[Requirement, ...], str], new: tuple[tuple[Requirement, ...], str]
) -> Difference:
    unknown = ("what it is made for",) if old[1] != new[1] else ()
    listing = Listing(path, old[0], new[0], locked=True, complete=True)
    inert = () if listing.moved() else ("no package",)
    return Difference((listing,) if listing.moved() else (), unknown=unknown, inert=inert)


def _requirements(path: str, old: str, new: str) -> Difference:
    (before, others), (after, other) = requirements_file(old), requirements_file(new)
    unknown = tuple(sorted(set(others) ^ set(other)))
    # Options may bring in more than is listed, and name where versions come from.
    locked = not other and all(each.pin and not each.condition for each in (*before, *after))
    listing = Listing(path, before, after, locked)
    inert = () if listing.moved() or unknown else ("no requirement",)
    return Difference((listing,) if listing.moved() else (), unknown=unknown, inert=inert)


def _pipfile(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    unknown, listings = [], []
    for key in _differing(old, new):
        if key in ("packages", "dev-packages"):
            listings.append(_by_names(f"[{key}]", old.get(key, {}), new.get(key, {})))
        else:
            unknown.append(f"[{key}]")
    return Difference(tuple(listings), unknown=tuple(unknown))


def _by_names(place: str, old: object, new: object) -> Listing:
    """A table of Pipfile or Poetry: name to what is asked of it."""
    sides = []
    for side in (old, new):
        if not isinstance(side, dict):
            raise ManifestError(f"{place} holds no requirements")
        sides.append(tuple(locks.asked(name, value) for name, value in side.items() if name != "python"))
    return Listing(place, sides[0], sides[1])


def _listing(place: str, old: object, new: object) -> Listing:
    sides = []
    for side in (old or [], new or []):
        if not isinstance(side, list):
            raise ManifestError(f"{place} holds no requirements")
        sides.append(requirements(side))
    return Listing(place, sides[0], sides[1])


# pyproject.toml


class _Found:
    def __init__(self) -> None:
        self.listings: list[Listing] = []
        self.metadata: list[str] = []
        self.unknown: list[str] = []
        self.inert: list[str] = []

    def difference(self) -> Difference:
        listings = tuple(listing for listing in self.listings if listing.moved())
        parts = (self.metadata, self.unknown, self.inert)
        metadata, unknown, inert = (tuple(dict.fromkeys(part)) for part in parts)
        if not (listings or metadata or unknown or inert):
            inert = ("nothing but how it is written",)
        return Difference(listings, metadata, unknown, inert)


def _pyproject(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    found = _Found()
    for key in _differing(old, new):
        if key == "project":
            _project(_table(old, key), _table(new, key), found)
        elif key == "dependency-groups":
            _groups("dependency-groups", _table(old, key), _table(new, key), found)
        elif key == "tool":
            _tools(_table(old, key), _table(new, key), found)
        else:
            found.unknown.append(f"[{key}]")
    return found.difference()


def _project(old: Mapping[str, Any], new: Mapping[str, Any], found: _Found) -> None:
    for key in _differing(old, new):
        place = f"[project] {key}"
        if key == "dependencies":
            found.listings.append(_listing(place, old.get(key), new.get(key)))
        elif key == "optional-dependencies":
            _groups("project.optional-dependencies", _table(old, key), _table(new, key), found)
        elif key in METADATA and (key in old) == (key in new):
            found.metadata.append(place)
        else:
            found.unknown.append(place)


def _groups(place: str, old: Mapping[str, Any], new: Mapping[str, Any], found: _Found) -> None:
    for key in _differing(old, new):
        includes = any(isinstance(item, dict) for side in (old, new) for item in _items(side.get(key)))
        if includes or key not in old or key not in new:
            found.unknown.append(f"[{place}] {key}")
        else:
            found.listings.append(_listing(f"[{place}] {key}", old[key], new[key]))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _tools(old: Mapping[str, Any], new: Mapping[str, Any], found: _Found) -> None:
    for key in _differing(old, new):
        if key in TOOLS:
            found.inert.append(f"[tool.{key}]")
        elif key == "poetry":
            _poetry(_table(old, key), _table(new, key), found)
        else:
            found.unknown.append(f"[tool.{key}]")


def _poetry(old: Mapping[str, Any], new: Mapping[str, Any], found: _Found) -> None:
    for key in _differing(old, new):
        place = f"[tool.poetry] {key}"
        if key in ("dependencies", "dev-dependencies"):
            found.listings.append(_by_names(place, old.get(key, {}), new.get(key, {})))
        elif key == "group":
            before, after = _table(old, key), _table(new, key)
            for group in _differing(before, after):
                sides = [_table(side, group) for side in (before, after)]
                held = [side.get("dependencies", {}) for side in sides]
                found.listings.append(_by_names(f"[tool.poetry.group.{group}]", *held))
                if _differing(*({**side, "dependencies": 0} for side in sides)):
                    found.unknown.append(f"[tool.poetry.group.{group}]")
        elif key in METADATA and (key in old) == (key in new):
            found.metadata.append(place)
        else:
            found.unknown.append(place)


def _table(held: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = held.get(key, {})
    if not isinstance(value, dict):
        raise ManifestError(f"{key} is no table")
    return value


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        if key not in old or key not in new or repr(old[key]) != repr(new[key]):
            yield key


# setup.cfg, tox.ini, setup.py


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ManifestError(" ".join(str(error).split())) from error
    return {name: dict(parser.items(name)) for name in ("DEFAULT", *parser.sections())}


def _sections(old: Mapping[str, dict[str, str]], new: Mapping[str, dict[str, str]]) -> Difference:
    found = _Found()
    for name in _differing(old, new):
        before, after = old.get(name, {}), new.get(name, {})
        tool = re.split(r"[:.,-]", name)[0]
        if name == "metadata":
            _cfg_metadata(before, after, found)
        elif name == "options":
            for key in _differing(before, after):
                _option(key, before, after, found)
        elif name == "options.extras_require":
            for key in _differing(before, after):
                _cfg_listing(f"[{name}] {key}", before, after, key, found)
        elif name in TOOLS or tool in TOOLS or name in ("aliases", "build_sphinx"):
            found.inert.append(f"[{name}]")
        else:
            found.unknown.append(f"[{name}]")
    return found.difference()


def _cfg_metadata(old: Mapping[str, str], new: Mapping[str, str], found: _Found) -> None:
    for key in _differing(old, new):
        computed = any("attr:" in side.get(key, "") for side in (old, new))
        known = key in CFG_METADATA and key in old and key in new and not computed
        (found.metadata if known else found.unknown).append(f"[metadata] {key}")


def _option(key: str, old: Mapping[str, str], new: Mapping[str, str], found: _Found) -> None:
    if key == "install_requires":
        _cfg_listing(f"[options] {key}", old, new, key, found)
    elif key == "python_requires":
        found.metadata.append(f"[options] {key}")
    else:
        found.unknown.append(f"[options] {key}")


def _cfg_listing(place: str, old: Mapping[str, str], new: Mapping[str, str], key: str, found: _Found) -> None:
    if key not in old or key not in new or "file:" in old[key] + new[key]:
        found.unknown.append(place)
        return
    found.listings.append(_listing(place, *(_lines(side[key]) for side in (old, new))))


def _lines(text: str) -> list[str]:
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]


def _setup(old: str, new: str) -> Difference:
    """A `setup.py`, as far as its one call of `setup` is plain."""
    found = _Found()
    (before, rest), (after, other) = setups.arguments(old), setups.arguments(new)
    if rest != other:
        found.unknown.append("its code")
    for key in _differing(before, after):
        values = [side[key][1] for side in (before, after) if key in side]
        if len(values) < 2 or None in values:
            found.unknown.append(key)
        elif key in ("install_requires", "tests_require"):
            found.listings.append(_listing(key, *values))
        elif key == "extras_require" and all(isinstance(value, dict) for value in values):
            _groups(key, values[0], values[1], found)
        elif key in CFG_METADATA or key == "python_requires":
            found.metadata.append(key)
        else:
            found.unknown.append(key)
    return found.difference()
