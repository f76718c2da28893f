"""What the type engine said before, and how much of it still holds after an edit.

The engine reads a whole program: with make -> mid -> use, a new body in make.py may move the target of
a call in use.py, which neither changed nor imports make.py. But one file can move another's answers
only through its interface: the types of what it defines, which the engine reports, and what names in
it stand for. So an edited file is read alone first. Where its interface came out as it was, no other
file's answers can have moved; where it did not, everything is read again.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from hashlib import blake2b
from types import MappingProxyType

import msgspec

from graph.ingest.python.answers import Answers
from graph.ingest.python.module import VALUE, ModuleRecord, Scope
from graph.ingest.python.shelf import Shelf
from graph.schema import Sort

WORLDS = 8
"""Trees that are remembered a repository."""
FEW = 12
"""Edited files that are worth reading alone first."""

_ANSWERS = msgspec.msgpack.Decoder(Answers)
_ENCODER = msgspec.msgpack.Encoder()


class World(msgspec.Struct, array_like=True):
    """A tree that the engine has read."""

    context: str
    """What besides the files decides the answers: the engine, source roots, fixtures' types."""
    files: dict[str, tuple[str, str]]
    """By path: digest of what the engine saw, and the key of the answers."""


_WORLD = msgspec.msgpack.Decoder(World)
_RECENT = msgspec.msgpack.Decoder(list[str])


class Memory:
    """Answers on a shelf, by the trees that they were given for."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def recall(
        self, context: str, shown: Mapping[str, str]
    ) -> tuple[dict[str, Answers], dict[str, str]] | None:
        """Answers of the nearest tree read in that context, and the paths among `shown` that differ.

        None where there is none, or where files came or went: an import may lead elsewhere then.
        """
        best: World | None = None
        changed: dict[str, str] = {}
        for world in self._worlds():
            if world.context != context or world.files.keys() != shown.keys():
                continue
            moved = {path: digest for path, digest in shown.items() if world.files[path][0] != digest}
            if best is None or len(moved) < len(changed):
                best, changed = world, moved
        if best is None or len(changed) > FEW:
            return None
        keys = {path: key for path, (_, key) in best.files.items()}
        rows = self._shelf.get("answers", keys.values())
        try:
            found = {path: _ANSWERS.decode(rows[key]) for path, key in keys.items() if key}
        except (KeyError, msgspec.MsgspecError):
            return None  # a row was dropped or is damaged: read again
        return found, changed

    def remember(
        self,
        context: str,
        shown: Mapping[str, str],
        answers: Mapping[str, Answers],
        kept: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Keep what was said of a tree; rows that are there already are not written again.

        Parameters
        ----------
        kept : mapping of str to str
            By path the key of answers that are on the shelf and still hold, as this gave them before.

        Returns
        -------
        dict
            Keys of the answers by path; empty for a file without any.
        """
        keys: dict[str, str] = {}
        rows: dict[str, bytes] = {}
        for path in shown:
            said = answers.get(path)
            if path in kept or said is None:
                keys[path] = kept.get(path, "")
                continue
            data = _ENCODER.encode(said)
            keys[path] = _digest(path.encode("utf-8", "surrogatepass"), data)
            rows[keys[path]] = data
        world = _ENCODER.encode(World(context, {path: (shown[path], key) for path, key in keys.items()}))
        name = _digest(world)
        there = self._shelf.get("answers", rows)
        recent = [name, *(other for other in self._recent() if other != name)][:WORLDS]
        self._shelf.put("answers", {key: data for key, data in rows.items() if key not in there})
        self._shelf.touch("answers", there)
        self._shelf.put("world", {name: world, "recent": _ENCODER.encode(recent)})
        return keys

    def _recent(self) -> list[str]:
        data = self._shelf.get("world", ["recent"]).get("recent")
        try:
            return _RECENT.decode(data) if data is not None else []
        except msgspec.MsgspecError:
            return []

    def _worlds(self) -> list[World]:
        worlds = []
        rows = self._shelf.get("world", self._recent())
        for data in rows.values():
            try:
                worlds.append(_WORLD.decode(data))
            except msgspec.MsgspecError:
                continue  # damaged: as if it had not been read
        return worlds


def interface(record: ModuleRecord, types: bytes, handing: Container[int]) -> str:
    """Digests of all of a file that another file's answers may rest on: `written` first, then the rest.

    Parameters
    ----------
    record : ModuleRecord
        The file: what names stand for counts where a function or class is handed around by name,
        since the engine tells such values apart where their types look alike.
    types : bytes
        What the engine inferred of its definitions (see `report.Report.interface`).
    handing : container of int
        Places of the functions that return callables.
    """
    uses = record.uses
    scopes = {scope.place: scope for scope in uses.scopes}
    results = [
        (function.place, _results(scopes.get(function.place), function.results))
        for function in uses.functions
        if function.place in handing
    ]
    return f"{written(record)}-{_digest(types, repr(results).encode('utf-8', 'surrogatepass'))}"


def written(record: ModuleRecord) -> str:
    """Digest of that part of a file's interface for which the engine need not be asked."""
    uses = record.uses
    scopes = {scope.place: scope for scope in uses.scopes}
    parts: list[object] = [uses.imports, uses.exported, uses.exported_from, uses.classes]
    for place, item in enumerate(record.definitions):
        parts.append((item.qualname, item.ordinal, item.sort, item.signature, item.decoration))
        if item.sort in (Sort.CONSTANT, Sort.ATTRIBUTE):
            parts.append(item.code)
        if item.sort in (Sort.MODULE, Sort.CLASS) and place in scopes:
            parts.append(sorted((name, repr(bound)) for name, bound in scopes[place].names.items()))
    for function in uses.functions:
        parts.append((function.flags, function.parameters, function.returns))
    return _digest(repr(parts).encode("utf-8", "surrogatepass"))


def _results(scope: Scope | None, chains: list[str]) -> list[str]:
    """What is returned, and what the local names in it are bound to."""
    found: list[str] = []
    seen: set[str] = set()
    waiting = list(chains)
    while waiting:
        chain = waiting.pop()
        if chain in seen:
            continue
        seen.add(chain)
        found.append(chain)
        for part in chain.split("|"):
            root = part.partition(".")[0].rstrip("()[]@")
            for binding in scope.names.get(root, ()) if scope is not None else ():
                if binding.kind == VALUE:
                    waiting.append(binding.chain)
    return sorted(found)


def _digest(*parts: bytes) -> str:
    return blake2b(b"\0".join(parts), digest_size=16).hexdigest()
