"""Records of many files: from the shelf where they were read before, else parsed on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from graph.ingest.python import syntax
from graph.ingest.python.module import ModuleRecord
from graph.ingest.python.shelf import Shelf
from graph.progress import Progress

KIND = "record"
FEW = 120
"""Files that are parsed in this process: starting others takes longer."""
CHUNK = 24


def parse_all(
    ids: Mapping[str, str], blobs: Callable[[str], bytes], shelf: Shelf, progress: Progress
) -> dict[str, ModuleRecord]:
    """A record of every file, in the order of `ids` (path to blob id)."""
    kept = shelf.get(KIND, ids.values())
    found: dict[str, ModuleRecord] = {}
    for blob, data in kept.items():
        try:
            found[blob] = syntax.decode(data)
        except msgspec.MsgspecError:
            continue  # damaged: parsed again
    missing = {blob: path for path, blob in ids.items() if blob not in found}
    fresh: dict[str, bytes] = {}
    for blob, data in _parsed(missing, blobs):
        fresh[blob] = data
        found[blob] = syntax.decode(data)
        progress("reading files", len(fresh), len(missing))
    if fresh:
        shelf.put(KIND, fresh)
    shelf.touch(KIND, kept)
    return {path: found[blob] for path, blob in ids.items()}


def _parsed(missing: Mapping[str, str], blobs: Callable[[str], bytes]) -> Iterator[tuple[str, bytes]]:
    workers = min(os.cpu_count() or 1, len(missing) // (FEW // 2))
    if len(missing) <= FEW or workers < 2:
        for blob, path in missing.items():
            yield blob, _parse(path, blobs(blob))
        return
    items = list(missing.items())
    parts = [items[begin : begin + CHUNK] for begin in range(0, len(items), CHUNK)]
    # Not forked: this process may have threads, of the server that it answers for among others.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        loaded = ([(blob, path, blobs(blob)) for blob, path in part] for part in parts)
        for part in pool.map(_parse_part, loaded):
            yield from part


def _parse_part(part: list[tuple[str, str, bytes]]) -> list[tuple[str, bytes]]:
    return [(blob, _parse(path, data)) for blob, path, data in part]


def _parse(path: str, data: bytes) -> bytes:
    return syntax.encode(syntax.parse(path, data))
