"""Lock files: every distribution that an environment is made of, with its version and what it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from maestro_selection.requirements import ManifestError, Requirement, normalised, requirement

# Of the file itself: digests of the manifest, formats. What they stand for is compared by itself.
ABOUT_THE_FILE = frozenset(
    "metadata lock-version created-by version revision requires-python package packages default develop "
    "_meta extras environments resolution-markers supported-markers dependency-groups "
    "default-groups".split()
)
# What the one version of a distribution is made of, or says of itself.
OF_ONE_VERSION = frozenset(
    "name version description dependencies requires_python python-versions requires-python files wheels "
    "sdist archive hashes source index upload-time optional-dependencies dev-dependencies extras "
    "metadata attestation-identities vcs directory url".split()
)
IN_PLACE = ("editable", "virtual", "directory", "path")
TOML_LOCKS = frozenset(["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"])


def is_toml_lock(name: str) -> bool:
    """Whether a file of this name is a lock file in TOML."""
    return name in TOML_LOCKS or (name.startswith("pylock.") and name.endswith(".toml"))


def toml_lock(tables: Mapping[str, Any]) -> tuple[tuple[Requirement, ...], str]:
    """A lock file of uv, Poetry or PDM, or one of PEP 751: its entries, and what else decides, as text.

    Raises
    ------
    ManifestError
        When it has no list of packages, or an entry has no name.
    """
    entries = tables.get("package", tables.get("packages"))
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ManifestError("it holds no list of packages")
    found = [_entry(each) for each in entries]
    if len({(each.name, each.text) for each in found}) != len(found):
        raise ManifestError("it names one package twice")
    rest = {key: value for key, value in tables.items() if key not in ABOUT_THE_FILE}
    # Which environments it is for, and in which of them an entry is.
    rest["environments"] = [tables.get(key) for key in ("environments", "resolution-markers", "extras")]
    rest["groups"] = [tables.get(key) for key in ("dependency-groups", "default-groups", "supported-markers")]
    return tuple(found), _text(rest)


def _entry(entry: Mapping[str, Any]) -> Requirement:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ManifestError("one of its packages has no name")
    version = entry.get("version", "")
    source = entry.get("source")
    own = isinstance(source, dict) and (bool(source.keys() & set(IN_PLACE)) or _type(source) == "directory")
    own = own or "directory" in entry or entry.get("editable") is True
    told = {key: value for key, value in entry.items() if key != "description"}
    rest = {key: value for key, value in entry.items() if key not in OF_ONE_VERSION}
    clauses = (("==", version),) if isinstance(version, str) and version else ()
    return Requirement(normalised(name), _text(told), clauses, _text(rest), "", frozenset(_needs(entry)), own)


def _type(source: Mapping[str, Any]) -> object:
    return source.get("type")


def _needs(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an entry brings, its extras and groups included: names, and on what condition."""
    groups: list[Any] = [entry.get("dependencies", ())]
    for key in ("optional-dependencies", "dev-dependencies", "extras"):
        held = entry.get(key)
        groups += held.values() if isinstance(held, dict) else ()
    for group in groups:
        yield from _needed(group)


def _needed(group: Any) -> Iterator[tuple[str, str]]:
    if isinstance(group, dict):  # Poetry: name to what is asked
        for name, value in group.items():
            for one in value if isinstance(value, list) else [value]:
                yield normalised(name), _condition(one)
        return
    for item in group if isinstance(group, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield normalised(item["name"]), _condition(item)
        elif isinstance(item, str):
            each = requirement(re.sub(r"\(([^()]*)\)", r"\1", item, count=1))
            yield each.name, _text([each.extras, each.condition])


def _condition(item: Any) -> str:
    """What decides whether something is brought; which version is, its own entry tells."""
    if not isinstance(item, dict):
        return ""
    return _text({key: value for key, value in item.items() if key not in ("version", "specifier", "source")})


def pipfile_lock(text: str) -> tuple[tuple[Requirement, ...], str]:
    """A `Pipfile.lock`: its entries, those of each section apart; ManifestError where it is none."""
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"it is no JSON: {error}") from error
    if not isinstance(whole, dict):
        raise ManifestError("it holds no sections")
    found = []
    for section, entries in whole.items():
        if section == "_meta":
            continue
        if not isinstance(entries, dict):
            raise ManifestError(f"its section {section} holds no packages")
        found += [_of_pipfile(section, name, asked) for name, asked in entries.items()]
    meta = whole.get("_meta")
    rest = {key: value for key, value in meta.items() if key != "hash"} if isinstance(meta, dict) else meta
    return tuple(found), _text(rest)


def _of_pipfile(section: str, name: str, asked: Any) -> Requirement:
    if not isinstance(asked, dict):
        raise ManifestError(f"{name} holds no version")
    version = asked.get("version", "")
    pinned = isinstance(version, str) and version.startswith("==")
    clauses = (("==", version.lstrip("=")),) if pinned else ()
    rest = [section, *(asked.get(key) for key in ("markers", "extras"))]
    own = bool(asked.get("editable")) or "path" in asked
    return Requirement(normalised(name), f"{section} {_text(asked)}", clauses, _text(rest), own=own)


def asked(name: str, value: object) -> Requirement:
    """An entry of a table that gives each name what is asked of it, as Pipfile and Poetry write it."""
    plain = isinstance(value, str)
    clauses = (("==", value.lstrip("=")),) if isinstance(value, str) and value[:2] == "==" else ()
    return Requirement(normalised(name), _text(value), clauses, "" if plain else _text(value))


def _text(value: object) -> str:
    """A value in one form, whatever the order of its keys."""
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except (TypeError, ValueError) as error:
        raise ManifestError(f"it holds what cannot be compared: {error}") from error
