"""Records of many files: from the shelf where they were read before, else parsed on all cores."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Lock
from types import MappingProxyType
from typing import IO, TypeAlias

import msgspec

from graph.ingest.python import syntax
from graph.ingest.python.module import Fault, ModuleRecord
from graph.ingest.python.shelf import Shelf
from graph.memory import uncollected
from graph.progress import Progress

KIND = "record"
FEW = 120
"""Files that are parsed in this process: starting others takes longer."""
CHUNK = 16

Part: TypeAlias = list[tuple[str, str, bytes]]
"""Blob id, path and bytes of files."""
Done: TypeAlias = list[tuple[str, bytes]]
"""Blob id and encoded record."""

_LENGTH = struct.Struct(">Q")


def parse_all(
    ids: Mapping[str, str],
    blobs: Callable[[str], bytes],
    shelf: Shelf,
    progress: Progress,
    known: Mapping[str, ModuleRecord] = MappingProxyType({}),
) -> dict[str, ModuleRecord]:
    """A record of every file, in the order of `ids` (path to blob id).

    `known` are records at hand, by blob id.
    """
    found = {blob: known[blob] for blob in ids.values() if blob in known}
    kept = shelf.get(KIND, (blob for blob in ids.values() if blob not in found))
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
    waiting: SimpleQueue[list[tuple[str, str]]] = SimpleQueue()
    for begin in range(0, len(items), CHUNK):
        waiting.put(items[begin : begin + CHUNK])
    done: SimpleQueue[Done | None] = SimpleQueue()

    reading = Lock()

    def load(part: list[tuple[str, str]]) -> Part:
        with reading:
            return [(blob, path, blobs(blob)) for blob, path in part]

    with ThreadPoolExecutor(workers) as pool:
        feeders = [pool.submit(_feed, waiting, done, load) for _ in range(workers)]
        ended = 0
        try:
            while ended < workers:
                part = done.get()
                if part is None:
                    ended += 1
                else:
                    yield from part
        finally:  # where nobody wants the rest: leaving this block waits for all that is queued
            _drain(waiting)
        for feeder in feeders:
            feeder.result()


def _drain(waiting: SimpleQueue[list[tuple[str, str]]]) -> None:
    with contextlib.suppress(Empty):
        while True:
            waiting.get_nowait()


def _feed(
    waiting: SimpleQueue[list[tuple[str, str]]],
    done: SimpleQueue[Done | None],
    load: Callable[[list[tuple[str, str]]], Part],
) -> None:
    """Keep one worker process busy until nothing waits.

    Processes are started afresh, not forked: this one may have threads, of the server that it
    answers for among others. A worker that a file brings down is replaced, and that file named.
    """
    worker = _Worker()
    try:
        while (part := _next(waiting)) is not None:
            loaded = load(part)
            answer = worker.parse(loaded)
            if answer is None:
                answer = []
                for item in loaded:
                    worker.close()
                    worker = _Worker()
                    answer += worker.parse([item]) or [(item[0], _fallen(item[2]))]
            done.put(answer)
    finally:
        worker.close()
        done.put(None)


def _next(waiting: SimpleQueue[list[tuple[str, str]]]) -> list[tuple[str, str]] | None:
    try:
        return waiting.get_nowait()
    except Empty:
        return None


class _Worker:
    """A process that parses what it is sent."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from graph.ingest.python.parsing import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
            start_new_session=True,  # ctrl-C is for us, who end it by ending its input
        )

    def parse(self, part: Part) -> Done | None:
        """Records of these files; None when the process has died."""
        if self._process.stdin is None or self._process.stdout is None:
            return None
        try:
            _write(self._process.stdin, msgspec.msgpack.encode(part))
            data = _read(self._process.stdout)
        except OSError:
            return None
        return None if data is None else msgspec.msgpack.decode(data, type=Done)

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it is gone already
        self._process.wait()


def serve() -> None:
    """Parse what comes in on standard input until it ends (the worker's side)."""
    while (data := _read(sys.stdin.buffer)) is not None:
        part = msgspec.msgpack.decode(data, type=Part)
        with uncollected():  # until what was made of a file is gone again: a tenth of the time
            done = [(blob, _parse(path, text)) for blob, path, text in part]
        _write(sys.stdout.buffer, msgspec.msgpack.encode(done))


def _fallen(data: bytes) -> bytes:
    """The record of a file that brought its worker down."""
    record = syntax.parse("", b"")
    hint = "Generated data belongs in a data file; nothing else needs doing."
    record.diagnosis = Fault("python.crash", "Python's own parser breaks down on this file.", hint, 0)
    record.lines = data.count(b"\n") + 1
    return syntax.encode(record)


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    return data if len(data) == length else None


def _parse(path: str, data: bytes) -> bytes:
    return syntax.encode(syntax.parse(path, data))
