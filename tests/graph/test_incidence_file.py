"""The array file: what is saved is what is opened, and nothing damaged is ever trusted."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from graph import incidence_file, soundness
from graph.adjacency import Direction
from graph.errors import CorruptError, DiskError, NotFoundError
from graph.facts import Hyperedge, Member, Provenance, Scope, file_node, symbol_node
from graph.incidence import Incidence
from graph.renewal import renew
from graph.schema import EdgeKind, NodeKind, Resolver, Sort, Tier

SCOPE = Scope("local", "toy")


def sample(names: str = "f g h", commit: str = "c") -> Incidence:
    symbols = [symbol_node(SCOPE, "a.py", name, Sort.FUNCTION) for name in names.split()]
    origin = Provenance("a.py", "", Resolver.SCOPES)
    edges = [
        Hyperedge(
            EdgeKind.CALLS,
            SCOPE,
            (Member("caller", NodeKind.SYMBOL, a.key), Member("callee", NodeKind.SYMBOL, b.key)),
            origin,
            Tier.EXACT,
            props=(("lines", (1, 2)), ("virtual", True)),
        )
        for a, b in pairwise(symbols)
    ]
    facts = [file_node(SCOPE, "a.py", "python"), *symbols, *edges]
    return Incidence.build(facts, scope=SCOPE, head=7, commit=commit, tree="t", resolver="r1")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "code.arrays"
    sample().save(path)
    return path


def test_what_was_saved_is_opened(saved: Path) -> None:
    built, opened = sample(), Incidence.open(saved)
    for field in fields(Incidence):
        if field.name.startswith("_"):
            continue
        ours, theirs = getattr(built, field.name), getattr(opened, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype.kind == theirs.dtype.kind, field.name
            assert np.array_equal(ours, theirs), field.name
        else:
            assert ours == theirs, field.name
    for direction in Direction:
        ours, theirs = built.adjacency(direction), opened.adjacency(direction)
        assert np.array_equal(ours.ptr, theirs.ptr)
        assert np.array_equal(ours.node, theirs.node)
        assert np.array_equal(ours.edge, theirs.edge)
    assert list(opened.facts()) == list(built.facts())


def test_opened_arrays_cannot_be_written(saved: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        Incidence.open(saved).tier[0] = 1


def test_empty_arrays_are_saved_too(tmp_path: Path) -> None:
    empty = Incidence.build([], scope=SCOPE, head=0, commit="", tree="")
    empty.save(tmp_path / "e")
    assert Incidence.open(tmp_path / "e").node_count == 0


def test_only_this_user_may_read_the_file(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_it_is_refused_however_short_it_was_cut(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    cut = tmp_path / "cut"
    step = max(1, len(data) // 400)
    for length in {0, 1, 19, 20, 21, len(data) - 1, *range(0, len(data), step)}:
        cut.write_bytes(data[:length])
        with pytest.raises(CorruptError):
            Incidence.open(cut)
    cut.write_bytes(data + b"\0")
    with pytest.raises(CorruptError, match="bytes"):
        Incidence.open(cut)


def test_no_flipped_byte_goes_unnoticed(saved: Path, tmp_path: Path) -> None:
    data = bytearray(saved.read_bytes())
    for at in range(len(data)):
        data[at] ^= 0x40
        flipped = tmp_path / "flipped"
        flipped.unlink(missing_ok=True)
        flipped.write_bytes(data)
        soundness._FOUND.clear()
        with pytest.raises(CorruptError):
            Incidence.open(flipped)
        data[at] ^= 0x40


def test_a_body_is_checked_once_for_each_file_written(saved: Path) -> None:
    Incidence.open(saved)
    status = saved.stat()
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    os.utime(saved, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    Incidence.open(saved, check=False)
    with pytest.raises(CorruptError, match="checksum"):
        Incidence.open(saved)


def test_other_formats_are_refused_by_name(saved: Path) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[:8] + struct.pack("<I", 99) + data[12:])
    with pytest.raises(CorruptError, match="format 99"):
        Incidence.open(saved)
    saved.write_bytes(b"SQLite format 3\0" + data[16:])
    with pytest.raises(CorruptError, match="begin"):
        Incidence.open(saved)


def test_another_schema_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidence_file, "fingerprint", lambda: "other")
    with pytest.raises(CorruptError, match="schema"):
        Incidence.open(saved)


def test_a_sound_header_of_something_else_is_refused(saved: Path) -> None:
    header = b'{"schema": "%s", "size": 0, "crc": 0, "arrays": {}}' % incidence_file.fingerprint().encode()
    prefix = struct.pack("<8sIII", incidence_file.MAGIC, incidence_file.VERSION, len(header), crc32(header))
    start = -(-(len(prefix) + len(header)) // 64) * 64
    saved.write_bytes((prefix + header).ljust(start, b"\0"))
    with pytest.raises(CorruptError):
        Incidence.open(saved)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Incidence.open(tmp_path / "none")
    with pytest.raises(CorruptError):
        Incidence.open(tmp_path)


def test_a_reader_keeps_the_file_it_mapped_while_another_is_put_there(saved: Path) -> None:
    old = Incidence.open(saved)
    sample("x y z w v", commit="d").save(saved)
    assert old.keys[1].endswith("::f")
    assert old.commit == "c"
    assert Incidence.open(saved).commit == "d"


def test_a_failed_write_leaves_the_old_file_and_no_rest(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="No space"):
        sample("x y", commit="d").save(saved)
    assert Incidence.open(saved).commit == "c"
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system allots no blocks ahead")
def test_a_disk_without_room_is_found_before_anything_is_written(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def full(file: int, offset: int, size: int) -> None:
        asked.append((os.fstat(file).st_size, size))
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskError, match="No space left"):
        sample("f g h i").save(saved)
    assert saved.read_bytes() == before and [file.name for file in saved.parent.iterdir()] == [saved.name]
    monkeypatch.undo()
    sample("f g h i").save(saved)
    assert asked == [(0, saved.stat().st_size)]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system allots no blocks ahead")
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_a_file_system_that_allots_no_blocks_ahead_is_written_all_the_same(
    saved: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def cannot(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    sample("f g h i").save(saved)
    assert Incidence.open(saved).node_count == 5


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        sample().save(tmp_path / "file" / "code.arrays")


def test_a_copy_is_as_good_as_the_file(saved: Path, tmp_path: Path) -> None:
    shutil.copy(saved, tmp_path / "copy")
    assert Incidence.open(tmp_path / "copy").head == 7


def call(caller: str, callee: str, *lines: int) -> Hyperedge:
    members = tuple(
        Member(role, NodeKind.SYMBOL, SCOPE.symbol("a.py", name))
        for role, name in (("caller", caller), ("callee", callee))
    )
    props = (("lines", lines), ("virtual", False))
    return Hyperedge(
        EdgeKind.CALLS, SCOPE, members, Provenance("a.py", "", Resolver.SCOPES), Tier.EXACT, props=props
    )


def unresolved(name: str, count: int) -> Hyperedge:
    symbol = Member("symbol", NodeKind.SYMBOL, SCOPE.symbol("a.py", name))
    origin = Provenance("a.py", "", Resolver.SCOPES)
    return Hyperedge(EdgeKind.UNRESOLVED, SCOPE, (symbol,), origin, props=(("count", count),))


@pytest.mark.parametrize("large", [127, 128, 32_767, 32_768, 1 << 30])
def test_columns_are_as_wide_as_what_comes_into_them(saved: Path, large: int) -> None:
    small = Incidence.open(saved)
    assert small.lines.dtype.itemsize == small.count.dtype.itemsize == 1
    created = [call("f", "h", large), unresolved("f", large), unresolved("g", 1)]
    renew(small, created=created, head=large, commit="d", tree="t").save(saved)
    found = Incidence.open(saved)
    assert list(found.facts())[-3:] == created
    assert found.unresolved()[found.find(NodeKind.SYMBOL, SCOPE.symbol("a.py", "f"))] == large
    assert sorted(found.edge_from.tolist()) == [7, 7, large, large, large]
    ended = renew(found, retired=np.flatnonzero(found.edge_from == large)[1:2], head=1, commit="e", tree="t")
    assert ended.unresolved().sum() == 1


def test_arrays_that_stayed_keep_their_checksum(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Incidence.open(saved)
    summed: list[int] = []

    def counting(data: bytes, value: int = 0) -> int:
        summed.append(len(data))
        return crc32(data, value)

    monkeypatch.setattr(incidence_file, "crc32", counting)
    renew(old, created=[call("f", "h", 9)], head=8, commit="d", tree="t").save(saved)
    assert old.keys.tails.blob.nbytes not in summed
    monkeypatch.undo()
    soundness._FOUND.clear()
    assert Incidence.open(saved, anew=True).edge_count == old.edge_count + 1
