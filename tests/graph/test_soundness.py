"""What is noted of array files: enough to spare a reading, never enough to trust another file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from graph import soundness
from graph.errors import CorruptError
from graph.facts import Scope, file_node
from graph.incidence import Incidence

SCOPE = Scope("local", "toy")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was written long enough ago, and was not opened since."""
    monkeypatch.setattr(soundness, "_SETTLED", -10.0)
    monkeypatch.setattr(soundness, "_FOUND", {})
    path = tmp_path / "code.arrays"
    facts = [file_node(SCOPE, f"{i}.py", "python") for i in range(50)]
    Incidence.build(facts, scope=SCOPE, head=1, commit="c", tree="t").save(path)
    return path


def spoil(path: Path) -> None:
    """Flip the last byte in place."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with path.open("r+b") as file:
        file.write(data)


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process: it has found nothing itself."""
    monkeypatch.setattr(soundness, "_FOUND", {})


def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the bytes of bodies that are read in full."""
    from graph import incidence_file

    read: list[int] = []
    real = incidence_file._check

    def counting(path: Path, mapped: incidence_file.Mapped, header: dict[str, Any], start: int) -> None:
        read.append(header["size"])
        real(path, mapped, header, start)

    monkeypatch.setattr(incidence_file, "_check", counting)
    return read


def test_a_file_is_read_in_full_once_by_all_processes(saved: Path, monkeypatch) -> None:
    read = readings(monkeypatch)
    Incidence.open(saved)
    assert len(read) == 1
    for _ in range(3):
        later(monkeypatch)
        Incidence.open(saved)
    assert len(read) == 1
    Incidence.open(saved, anew=True)
    assert len(read) == 2


def test_a_file_that_changed_after_it_was_found_sound_is_refused(saved: Path, monkeypatch) -> None:
    Incidence.open(saved)
    spoil(saved)
    later(monkeypatch)
    with pytest.raises(CorruptError, match="checksum"):
        Incidence.open(saved)


def test_a_file_whose_time_was_set_back_is_read_again(saved: Path, monkeypatch) -> None:
    Incidence.open(saved)
    status = saved.stat()
    spoil(saved)
    os.utime(saved, ns=(status.st_atime_ns, status.st_mtime_ns))
    later(monkeypatch)
    with pytest.raises(CorruptError, match="checksum"):
        Incidence.open(saved)


def test_after_another_start_of_the_machine_a_file_is_read_again(saved: Path, monkeypatch) -> None:
    read = readings(monkeypatch)
    Incidence.open(saved)
    later(monkeypatch)
    monkeypatch.setattr(soundness, "_start", lambda: "another")
    Incidence.open(saved)
    assert len(read) == 2


def test_a_file_written_this_moment_is_not_noted(saved: Path, monkeypatch) -> None:
    monkeypatch.setattr(soundness, "_SETTLED", 60.0)
    Incidence.open(saved)
    assert not (saved.parent / soundness.NOTE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"start": 1}', '{"start": "x", "files": [1]}', "\xff"])
def test_a_damaged_note_says_nothing(saved: Path, monkeypatch, text: str) -> None:
    note = saved.parent / soundness.NOTE
    note.write_bytes(text.encode("latin-1"))
    read = readings(monkeypatch)
    Incidence.open(saved)
    assert len(read) == 1
    assert json.loads(note.read_bytes())["files"].keys() == {saved.name}


def test_notes_of_files_that_are_gone_are_dropped(saved: Path, monkeypatch) -> None:
    Incidence.open(saved)
    other = saved.with_name("owners.arrays")
    saved.rename(other)
    later(monkeypatch)
    Incidence.open(other)
    assert json.loads((saved.parent / soundness.NOTE).read_bytes())["files"].keys() == {other.name}


def test_where_nothing_can_be_written_a_file_is_still_opened(saved: Path, monkeypatch) -> None:
    monkeypatch.setattr(soundness, "NOTE", "missing/.sound")
    Incidence.open(saved)
    later(monkeypatch)
    spoil(saved)
    with pytest.raises(CorruptError):
        Incidence.open(saved)
