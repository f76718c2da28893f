"""Files put in their place in one step: whole or not at all, nothing left of writers that were killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from graph import drafts, lease, recordings
from graph.errors import DiskError
from graph.facts import Scope, file_node
from graph.incidence import Incidence
from graph.ingest import renewal
from graph.ingest.notebook import replace_file
from graph.ingest.python.engine import report_folder
from graph.lease import Lease, Process
from graph.recordings import Kept
from graph.workspace import Workspace

ROOT = Path(__file__).parents[2]
SCOPE = Scope("local", "drafts")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")


def arrays(names: int) -> Incidence:
    facts = [file_node(SCOPE, f"{number}.py", "python") for number in range(names)]
    return Incidence.build(facts, scope=SCOPE, head=1, commit="c" * 40, tree="t" * 40)


def note(number: int) -> Kept:
    return Kept(digest="d" * 64, commit="", dirty=False, recorded=1.0, tests=number, bytes=3)


def leased(number: int) -> Lease:
    this = Process(1, 1.0)
    return Lease(this, this, "127.0.0.1", number, number, "root", "s", 1.0)


# Everything of ours that is put in its place by a rename: what it is called, and how it is written.
WRITERS: dict[str, tuple[str, Callable[[Path, int], object]]] = {
    "arrays": ("code.arrays", lambda folder, n: arrays(n).save(folder / "code.arrays")),
    "note": ("note", lambda folder, n: replace_file(folder / "note", str(n).encode())),
    "lease": ("lease.json", lambda folder, n: lease.save(folder, leased(n))),
    "mirror": ("HEAD", lambda folder, n: renewal._replace(folder / "HEAD", str(n))),
    "recording": (
        f"repositories/local/drafts/recordings/{'d' * 64}.recording",
        lambda folder, n: recordings.keep(Workspace(folder), SCOPE, str(n).encode(), note(n)),
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Workspace(tmp_path / "data").prepare(SCOPE)
    return tmp_path / "data"


def left(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f".*{drafts.SUFFIX}"))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_at_the_rename(folder, monkeypatch, name, full) -> None:
    place, write = WRITERS[name]
    write(folder, 3)
    before = (folder / place).read_bytes()
    for kept in folder.rglob("*.json"):
        if name == "recording":
            kept.unlink()  # taken in once more

    def refused(self: Path, target: object) -> None:
        raise OSError(full, os.strerror(full), str(target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refused)
        with pytest.raises((DiskError, OSError)) as said:
            write(folder, 4)
    # The mirror's small files are translated where the whole mirror is.
    assert isinstance(said.value, DiskError) or name == "mirror"
    assert (folder / place).read_bytes() == before, "the old one is still there, byte for byte"
    assert left(folder) == [], "no draft is left"
    write(folder, 4)
    assert (folder / place).read_bytes() != before
    assert left(folder) == []


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, on a file system where a folder can be too full for a name."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(1 << 20)
    made = ["mkfs.ext4", "-q", "-b", "1024", "-N", "512", "-O", "^has_journal,^dir_index", str(image)]
    try:
        for command in (made, ["mount", "-o", "loop", str(image), str(place)]):
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_rename_for_which_the_disk_has_no_room(narrow) -> None:
    folder = narrow / "f"
    folder.mkdir()
    with drafts.draft(folder / "kept") as out:
        out.write(b"old")
    with (narrow / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"\0" * 1024):
            pass
    for length in (200, 9):  # now the folder's own block is filled with names
        with suppress(OSError):
            for number in range(1000):
                (folder / f"{number:0{length}}").touch()
    (folder / f"{0:0200}").unlink()  # which leaves room for a draft's name, and not for a longer one
    before = sorted(each.name for each in folder.iterdir())
    with pytest.raises(OSError, match="No space left") as said, drafts.draft(folder / ("n" * 240)):
        pass
    assert said.value.errno == errno.ENOSPC
    assert sorted(each.name for each in folder.iterdir()) == before
    assert (folder / "kept").read_bytes() == b"old"


_WRITER = """
import sys, time
from pathlib import Path
from graph import drafts
from graph.ingest.python.engine import report_folder
place = Path(sys.argv[1])
with drafts.draft(place / "code.arrays") as out, report_folder(place) as report:
    out.write(b"half")
    out.flush()
    (report / "report.json").write_text("half")
    print(report, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_writer_left_is_swept_and_nothing_of_a_living_one(folder, monkeypatch) -> None:
    monkeypatch.setattr("graph.ingest.python.engine.roomy", lambda beside: beside)
    workspace = Workspace(folder)
    place = workspace.of(SCOPE)
    order = [sys.executable, "-c", _WRITER, str(place)]
    with subprocess.Popen(
        order, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as writer:
        try:
            report = Path(writer.stdout.readline().strip())
            assert len(list(place.glob(".code.arrays.*.draft"))) == 1
            workspace.prepare(SCOPE)
            assert workspace.sweep(SCOPE) == 0 and len(left(place)) >= 1, "its writer lives"
            assert (report / "report.json").exists()
        finally:
            writer.send_signal(signal.SIGKILL)
    assert list(place.glob(".code.arrays.*.draft")), "a killed process removes nothing"
    workspace.prepare(SCOPE)
    assert left(place) == []
    with report_folder(report.parent):
        assert not report.exists(), "the next who asks the engine removes it"
    assert workspace.sweep(SCOPE) == 0


def test_a_draft_of_each_folder_is_swept(folder) -> None:
    workspace = Workspace(folder)
    workspace.mirror(SCOPE).mkdir()
    places = [workspace.of(SCOPE), workspace.sides(SCOPE), workspace.cache(SCOPE)]
    places += [workspace.recordings(SCOPE), workspace.mirror(SCOPE)]
    for place in places:
        (place / ".anything.abc.draft").write_bytes(b"half")
    assert workspace.sweep(SCOPE) == len(places)
    (folder / ".lease.json.abc.draft").write_bytes(b"half")
    lease.directory(folder)
    assert left(folder) == []


def test_sweeping_leaves_alone_what_is_no_draft(tmp_path) -> None:
    kept = [tmp_path / "a.draft", tmp_path / ".a", tmp_path / ".x.draft.arrays"]
    for each in kept:
        each.write_bytes(b"")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"")
    (tmp_path / ".link.draft").symlink_to(outside)
    (tmp_path / ".other.1.draft").mkdir()
    assert drafts.sweep(tmp_path, "mine") == 0
    assert drafts.sweep(tmp_path) == 1, "the folder alone"
    assert all(each.exists() for each in kept) and (outside / "file").exists()
    assert drafts.sweep(tmp_path / "nowhere") == 0


def test_writers_and_sweepers_at_once(tmp_path) -> None:
    """Nothing is swept from under a living writer, however often both come."""
    done = threading.Event()
    sweepers = [threading.Thread(target=_sweep_until, args=(tmp_path, done)) for _ in range(2)]
    for each in sweepers:
        each.start()
    try:
        for number in range(100):
            with drafts.draft(tmp_path / "place") as out:
                out.write(b"%d" % number * 50)
            assert (tmp_path / "place").read_bytes() == b"%d" % number * 50
            with drafts.DraftFolder(tmp_path, "kept") as folder:
                (folder / "x").write_bytes(b"")
    finally:
        done.set()
        for each in sweepers:
            each.join()
    assert left(tmp_path) == []


def _sweep_until(folder: Path, done: threading.Event) -> None:
    while not done.is_set():
        drafts.sweep(folder)


def test_a_draft_whose_writing_fails_leaves_the_old_one(tmp_path) -> None:
    place = tmp_path / "place"
    place.write_bytes(b"old")
    with pytest.raises(RuntimeError), drafts.draft(place) as out:
        out.write(b"new")
        raise RuntimeError
    assert place.read_bytes() == b"old" and left(tmp_path) == []
    with drafts.draft(place, mode=0o644, durable=True) as out:
        out.write(b"new")
    assert place.read_bytes() == b"new" and place.stat().st_mode & 0o777 == 0o644
