"""Which array files were read in full and found sound, so that not every reader does so again.

A checksum over a million incidences takes a tenth of a second, and brings the whole file into memory. A file
is therefore read in full the first time that it is opened after it was written, and after each start of the
machine, since that is when it may have changed without anybody writing it; what was found is noted beside
it. The note names the file by inode, size, and the times of its last write and change, which no write leaves
as they were. `maestro doctor` reads every byte, whatever is noted.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from graph.errors import DiskError
from graph.ingest.notebook import replace_file

NOTE = ".sound"
"""The file of notes in a folder of array files."""
_SETTLED = 1.0
"""Seconds that a file must have been left alone: a write within one tick of the clock would not show."""

_FOUND: dict[Path, list[int]] = {}
"""What this process found sound, or saw noted."""


def sound(path: Path, status: os.stat_result, crc: int) -> bool:
    """Whether this very file, with this checksum of its body, was read in full and found sound."""
    stamp = _stamp(status, crc)
    if _FOUND.get(path) == stamp:
        return True
    noted = _read(path.parent)
    if noted["start"] == _start() and noted["files"].get(path.name) == stamp:
        _FOUND[path] = stamp
        return True
    return False


def found_sound(path: Path, status: os.stat_result, crc: int) -> None:
    """Note that a file was read in full and is what its checksum says."""
    _FOUND[path] = _stamp(status, crc)
    if time.time() - max(status.st_mtime, status.st_ctime) < _SETTLED:
        return
    noted = _read(path.parent)
    files = noted["files"] if noted["start"] == _start() else {}
    files = {name: stamp for name, stamp in files.items() if (path.parent / name).exists()}
    files[path.name] = _FOUND[path]
    # Where nothing may be written, every reader looks for itself.
    with suppress(DiskError):
        replace_file(path.parent / NOTE, json.dumps({"start": _start(), "files": files}).encode())


def _stamp(status: os.stat_result, crc: int) -> list[int]:
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, crc]


def _read(folder: Path) -> dict[str, Any]:
    """The notes of a folder; none where they are missing or damaged."""
    try:
        noted = json.loads((folder / NOTE).read_bytes())
        if isinstance(noted["files"], dict) and isinstance(noted["start"], str):
            return {"start": noted["start"], "files": noted["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return {"start": "", "files": {}}


@cache
def _start() -> str:
    """What tells one start of the machine from another."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return str(int(psutil.boot_time()))
