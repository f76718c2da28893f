"""The file of an Incidence: magic, a checked header, then aligned raw arrays, mapped on open.

Layout: `MAGIC` (8 bytes), format version, length and CRC-32 of the header (uint32, little
endian), the header (JSON, UTF-8), then each array at a multiple of 64 bytes, zeros between them. The
header gives every array's type, shape, place and CRC-32, and the length of all that follows. An array
that was read from a file and is written again as it is keeps the checksum that it has there.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph import drafts, soundness
from graph.adjacency import RULES, Adjacency, Direction, Overriding
from graph.assembly import ROLES
from graph.errors import CorruptError, DiskError, NotFoundError
from graph.facts import Scope
from graph.incidence import Incidence
from graph.schema import EDGES, EdgeKind, Form, NodeKind, Resolver, Sort, Tier
from graph.strings import Keys, Strings

MAGIC = b"MAESTROI"
VERSION = 2
_PREFIX = struct.Struct("<8sIII")
ADJACENT = ("ptr", "node", "edge", "dispatch")
OVERRIDING = ("method", "base", "edge", "tier")
_ALIGN = 64
_SMALL = 1 << 30
_SUMMING = 2
"""Threads that make checksums."""
_NO_RESERVING = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What file systems answer that cannot allot blocks ahead: they allot them as the file is written."""
_NARROW = ("unresolved", "count", "edge_from", "member_line", "lines", "keys.stem")
"""Columns whose values are small almost everywhere: they take the least room that holds them all."""
_WIDTHS = (np.iinfo(np.int8), np.iinfo(np.int16))
_HINT = "Maestro rebuilds it from the store; `maestro index` does so at once."


def fingerprint() -> str:
    """Digest of what gives the arrays their meaning: enumerations, roles, impact and its rules."""
    impact = [(kind.value, EDGES[kind].impact) for kind in EdgeKind]
    enums = [[member.value for member in enum] for enum in (NodeKind, EdgeKind, Sort, Tier, Form, Resolver)]
    text = json.dumps([enums, ROLES, impact, RULES, sys.byteorder])
    return blake2b(text.encode(), digest_size=16).hexdigest()


class Mapped(mmap.mmap):
    """A mapped array file that knows its arrays' checksums."""

    sums: dict[int, tuple[int, int]]
    """Length and CRC-32 of each array, by its address."""


def write(incidence: Incidence, path: Path, durable: bool = True) -> None:
    """Write a file beside its place, and put it there in one step; mode 0600. See `Incidence.save`."""
    arrays = _arrays_of(incidence)
    table, size = _placed(arrays)
    header = json.dumps(_described(incidence) | {"arrays": table, "size": size}).encode()
    start = _start(len(header))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with drafts.draft(path, durable=durable) as out:
            _reserve(out.fileno(), start + size)
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


def _reserve(file: int, size: int) -> None:
    """Have a file's blocks allotted before it is written, where the system can do that.

    A disk without room is found at once; and a file system that allots blocks late (ext4, XFS) would begin to
    write all of them out when the file is put in another one's place, which took a fifth of a renewal.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in _NO_RESERVING:
            raise


def read(path: Path, *, check: bool = True, anew: bool = False) -> Incidence:
    """Map a file; see `Incidence.open`."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size < _PREFIX.size:
                raise _corrupt(path, f"it has {status.st_size} bytes")
            mapped = Mapped(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no array file {path}.", _HINT) from error
    except OSError as error:
        raise CorruptError(f"The array file {path} cannot be read: {error.strerror}.", _HINT) from error
    header, start, crc = _header(path, mapped)
    if start + header["size"] != status.st_size:
        raise _corrupt(path, f"it has {status.st_size} bytes where {start + header['size']} are due")
    try:
        if anew or (check and not soundness.sound(path, status, crc)):
            _check(path, mapped, header, start)
            soundness.found_sound(path, status, crc)
        return _incidence(header, mapped, start)
    except (KeyError, ValueError, TypeError) as error:
        raise _corrupt(path, f"its header describes no arrays of ours ({error})") from error


def _check(path: Path, mapped: Mapped, header: dict[str, Any], start: int) -> None:
    """Read the whole body: every array is what its checksum says, and nothing is between them."""
    body = memoryview(mapped)[start:]
    at = 0
    for place in header["arrays"].values():
        first, size = place["at"], _size(place)
        gap = bytes(body[at:first])
        if len(gap) != first - at or any(gap) or crc32(body[first : first + size]) != place["crc"]:
            raise _corrupt(path, "its content does not fit its checksum")
        at = first + size
    if at != len(body):
        raise _corrupt(path, "its arrays do not fill it")


def _size(place: dict[str, Any]) -> int:
    """Bytes of an array."""
    size: int = math.prod(place["shape"]) * np.dtype(place["type"]).itemsize
    return size


def _header(path: Path, mapped: mmap.mmap) -> tuple[dict[str, Any], int, int]:
    """What the header says, where the body begins, and the header's checksum, which covers all others."""
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
    return header, _start(length), crc


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
        if not field.name.startswith("_"):
            arrays |= _parts(field.name, getattr(incidence, field.name))
    arrays["unresolved"] = incidence.unresolved()
    over = incidence.overriding()
    arrays |= {f"overriding.{name}": getattr(over, name) for name in OVERRIDING}
    for direction in Direction:
        adjacency = incidence.adjacency(direction)
        for name in ADJACENT:
            arrays[f"{direction}.{name}"] = getattr(adjacency, name)
    return {name: _narrowed(name, array) for name, array in arrays.items()}


def _parts(name: str, value: object) -> dict[str, NDArray[Any]]:
    """The arrays that a field consists of, by name; none of what the header says."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if isinstance(value, Strings):
        return {f"{name}.blob": value.blob, f"{name}.offsets": value.offsets}
    if isinstance(value, Keys):
        inner = _parts(f"{name}.stems", value.stems) | _parts(f"{name}.tails", value.tails)
        return {f"{name}.stem": value.stem} | inner
    return {}


def _narrowed(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Small values in as little room as holds them; offsets in half of it, where they fit with so much to
    spare that two files' can be added up."""
    if name in _NARROW:
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        for width in _WIDTHS:
            if width.min <= low and high <= width.max:
                return array.astype(width.dtype, copy=False)
        return array
    if array.dtype == np.int64 and len(array) and int(array[-1]) < _SMALL and int(array.max()) < _SMALL:
        return array.astype(np.int32)
    return array


def _placed(arrays: dict[str, NDArray[Any]]) -> tuple[dict[str, dict[str, Any]], int]:
    table: dict[str, dict[str, Any]] = {}
    at = 0
    with ThreadPoolExecutor(_SUMMING) as pool:  # checksums are made without the interpreter's lock
        sums = list(pool.map(_sum, arrays.values()))
    for (name, array), crc in zip(arrays.items(), sums, strict=True):
        gap = -at % _ALIGN
        place = {"type": array.dtype.str, "shape": array.shape, "at": at + gap, "gap": gap}
        table[name] = place | {"crc": crc}
        at += gap + array.nbytes
    return table, at


def _sum(array: NDArray[Any]) -> int:
    """CRC-32 of an array; where it lies in a mapped file as it is, what that file says of it.

    If that were wrong, who opens the new file would notice.
    """
    base: Any = array
    while base is not None and not isinstance(base, Mapped):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    if base is not None and array.flags.c_contiguous:
        known: tuple[int, int] = base.sums.get(array.__array_interface__["data"][0], (-1, 0))
        if known[0] == array.nbytes:
            return known[1]
    return crc32(_bytes(array))


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _incidence(header: dict[str, Any], mapped: Mapped, start: int) -> Incidence:
    arrays: dict[str, NDArray[Any]] = {}
    mapped.sums = {}
    for name, place in header["arrays"].items():
        count = int(np.prod(place["shape"], dtype=np.int64))
        flat = np.frombuffer(mapped, np.dtype(place["type"]), count, start + place["at"])
        arrays[name] = flat.reshape(place["shape"])
        mapped.sums[flat.__array_interface__["data"][0]] = flat.nbytes, place["crc"]
    columns: dict[str, Any] = {}
    for field in fields(Incidence):
        if f"{field.name}.stem" in arrays:
            stems, tails = (_strings(arrays, f"{field.name}.{part}") for part in ("stems", "tails"))
            columns[field.name] = Keys(stems, arrays[f"{field.name}.stem"], tails)
        elif f"{field.name}.blob" in arrays:
            columns[field.name] = _strings(arrays, field.name)
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
        _overriding=Overriding(*(arrays[f"overriding.{name}"] for name in OVERRIDING)),
        _unresolved=arrays["unresolved"],
        **columns,
    )


def _strings(arrays: dict[str, NDArray[Any]], name: str) -> Strings:
    return Strings(arrays[f"{name}.blob"], arrays[f"{name}.offsets"])
