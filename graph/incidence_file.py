"""The file of an Incidence: magic, a checked header, then aligned raw arrays, mapped on open.

Layout: `MAGIC` (8 bytes), format version, length and CRC-32 of the header (uint32, little
endian), the header (JSON, UTF-8), then each array at a multiple of 64 bytes. The header gives
every array's type, shape and place, and the length and CRC-32 of all that follows.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
import sys
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph import drafts, soundness
from graph.adjacency import RULES, Adjacency, Direction
from graph.assembly import ROLES
from graph.errors import CorruptError, DiskError, NotFoundError
from graph.facts import Scope
from graph.incidence import Incidence
from graph.schema import EDGES, EdgeKind, Form, NodeKind, Resolver, Sort, Tier
from graph.strings import Strings

MAGIC = b"MAESTROI"
VERSION = 1
_PREFIX = struct.Struct("<8sIII")
ADJACENT = ("ptr", "node", "edge", "dispatch")
_ALIGN = 64
_SMALL = 1 << 30
_HINT = "Maestro rebuilds it from the store; `maestro index` does so at once."


def fingerprint() -> str:
    """Digest of what gives the arrays their meaning: enumerations, roles, impact and its rules."""
    impact = [(kind.value, EDGES[kind].impact) for kind in EdgeKind]
    enums = [[member.value for member in enum] for enum in (NodeKind, EdgeKind, Sort, Tier, Form, Resolver)]
    text = json.dumps([enums, ROLES, impact, RULES, sys.byteorder])
    return blake2b(text.encode(), digest_size=16).hexdigest()


def write(incidence: Incidence, path: Path) -> None:
    """Write a file beside its place, make it durable, and put it there in one step; mode 0600."""
    arrays = _arrays_of(incidence)
    table, size = _placed(arrays)
    body = 0
    for name, place in table.items():
        body = crc32(b"\0" * place["gap"], body)
        body = crc32(_bytes(arrays[name]), body)
    header = json.dumps(_described(incidence) | {"arrays": table, "size": size, "crc": body}).encode()
    start = _start(len(header))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with drafts.draft(path, durable=True) as out:
            out.write(_PREFIX.pack(MAGIC, VERSION, len(header), crc32(header)))
            out.write(header.ljust(start - _PREFIX.size, b"\0"))
            for key, place in table.items():
                out.write(b"\0" * place["gap"])
                out.write(_bytes(arrays[key]))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DiskError(
            f"The array file {path} cannot be written: {error.strerror}.",
            "Free some room on that disk." if full else "Check that its folder can be written to.",
        ) from error


def read(path: Path, *, check: bool = True, anew: bool = False) -> Incidence:
    """Map a file; see `Incidence.open`."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size < _PREFIX.size:
                raise _corrupt(path, f"it has {status.st_size} bytes")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no array file {path}.", _HINT) from error
    except OSError as error:
        raise CorruptError(f"The array file {path} cannot be read: {error.strerror}.", _HINT) from error
    header, start = _header(path, mapped)
    if start + header["size"] != status.st_size:
        raise _corrupt(path, f"it has {status.st_size} bytes where {start + header['size']} are due")
    if anew or (check and not soundness.sound(path, status, header["crc"])):
        if crc32(memoryview(mapped)[start:]) != header["crc"]:
            raise _corrupt(path, "its content does not fit its checksum")
        soundness.found_sound(path, status, header["crc"])
    try:
        return _incidence(header, mapped, start)
    except (KeyError, ValueError, TypeError) as error:
        raise _corrupt(path, f"its header describes no arrays of ours ({error})") from error


def _header(path: Path, mapped: mmap.mmap) -> tuple[dict[str, Any], int]:
    magic, version, length, crc = _PREFIX.unpack_from(mapped)
    if magic != MAGIC:
        raise _corrupt(path, "it does not begin as an array file does")
    if version != VERSION:
        raise _corrupt(path, f"it is of format {version}, and this Maestro reads format {VERSION}")
    text = mapped[_PREFIX.size : _PREFIX.size + length]
    if len(text) != length or crc32(text) != crc or any(mapped[_PREFIX.size + length : _start(length)]):
        raise _corrupt(path, "its header does not fit its checksum")
    header: dict[str, Any] = json.loads(text)
    if header["schema"] != fingerprint():
        raise _corrupt(path, "it was written under another schema")
    return header, _start(length)


def _corrupt(path: Path, why: str) -> CorruptError:
    return CorruptError(f"The array file {path} cannot be used: {why}.", _HINT)


def _start(header: int) -> int:
    return -(-(_PREFIX.size + header) // _ALIGN) * _ALIGN


def _described(incidence: Incidence) -> dict[str, Any]:
    return {
        "schema": fingerprint(),
        "tenant": incidence.scope.tenant,
        "repository": incidence.scope.repository,
        "head": incidence.head,
        "commit": incidence.commit,
        "tree": incidence.tree,
        "resolver": incidence.resolver,
    }


def _arrays_of(incidence: Incidence) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(incidence):
        value = getattr(incidence, field.name)
        if isinstance(value, Strings):
            arrays[f"{field.name}.blob"] = value.blob
            arrays[f"{field.name}.offsets"] = value.offsets
        elif isinstance(value, np.ndarray):
            arrays[field.name] = value
    for direction in Direction:
        adjacency = incidence.adjacency(direction)
        for name in ADJACENT:
            arrays[f"{direction}.{name}"] = getattr(adjacency, name)
    return {name: _narrowed(array) for name, array in arrays.items()}


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """Offsets in half the room, where they fit with so much to spare that two files' can be added up."""
    if array.dtype == np.int64 and len(array) and int(array[-1]) < _SMALL and int(array.max()) < _SMALL:
        return array.astype(np.int32)
    return array


def _placed(arrays: dict[str, NDArray[Any]]) -> tuple[dict[str, dict[str, Any]], int]:
    table: dict[str, dict[str, Any]] = {}
    at = 0
    for name, array in arrays.items():
        gap = -at % _ALIGN
        table[name] = {"type": array.dtype.str, "shape": array.shape, "at": at + gap, "gap": gap}
        at += gap + array.nbytes
    return table, at


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _incidence(header: dict[str, Any], mapped: mmap.mmap, start: int) -> Incidence:
    arrays = {}
    for name, place in header["arrays"].items():
        count = int(np.prod(place["shape"], dtype=np.int64))
        flat = np.frombuffer(mapped, np.dtype(place["type"]), count, start + place["at"])
        arrays[name] = flat.reshape(place["shape"])
    columns: dict[str, Any] = {}
    for field in fields(Incidence):
        if f"{field.name}.blob" in arrays:
            columns[field.name] = Strings(arrays[f"{field.name}.blob"], arrays[f"{field.name}.offsets"])
        elif field.name in arrays:
            columns[field.name] = arrays[field.name]
    up, down = (
        Adjacency(
            arrays[f"{direction}.ptr"],
            arrays[f"{direction}.node"],
            arrays[f"{direction}.edge"],
            arrays[f"{direction}.dispatch"],
        )
        for direction in Direction
    )
    return Incidence(
        scope=Scope(header["tenant"], header["repository"]),
        head=header["head"],
        commit=header["commit"],
        tree=header["tree"],
        resolver=header["resolver"],
        _adjacency=(up, down),
        **columns,
    )
