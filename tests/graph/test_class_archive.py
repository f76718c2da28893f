"""The archive of the embedded server's classes: made whole or not at all, used where it fits."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from graph import class_archive
from graph.errors import DiskError, StoreUnavailableError
from graph.java import ARCHIVE, Order, command, find_wheel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The installed wheel, with an archive made in a folder of our own."""
    home = tmp_path_factory.mktemp("wheel")
    return replace(find_wheel(), home=home, archive=class_archive.make(replace(find_wheel(), home=home)))


def java(wheel, *words: str) -> str:
    """What Java says when it starts as for the server, but only tells its version."""
    order = Order(Path("/data"), Path("/data/password"), "127.0.0.1", 1, 2, "256m", 5.0)
    flags = [word for word in command(wheel, order)[1:-1] if not word.startswith("-Darcadedb.")]
    done = subprocess.run(
        [str(wheel.java), *flags, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_java_takes_the_servers_classes_from_it(wheel):
    said = java(wheel, "-Xlog:class+load", "--dry-run", "com.arcadedb.server.ArcadeDBServer")
    ours = [line for line in said.splitlines() if "com.arcadedb.server.ArcadeDBServer source:" in line]
    assert ours and all("shared objects file" in line for line in ours)


def test_one_that_does_not_fit_is_passed_over(wheel, tmp_path):
    broken = tmp_path / ARCHIVE
    broken.write_bytes(b"\0" * 4096)
    assert 'openjdk version "' in java(replace(wheel, archive=broken), "-version")
    other = replace(wheel, jars=wheel.jars[1:])
    assert 'openjdk version "' in java(other, "-version")


def test_it_is_made_whole_or_not_at_all(wheel, tmp_path):
    before = wheel.archive.read_bytes()
    fails = tmp_path / "java"
    fails.write_text("#!/bin/sh\necho there is no room; exit 1\n")
    fails.chmod(0o755)
    with pytest.raises(StoreUnavailableError, match="there is no room"):
        class_archive.make(replace(wheel, java=fails))
    fails.write_text("#!/bin/sh\necho done\n")
    with pytest.raises(StoreUnavailableError, match="done"):
        class_archive.make(replace(wheel, java=fails))
    assert wheel.archive.read_bytes() == before
    assert [each.name for each in wheel.home.iterdir()] == [ARCHIVE]


def test_a_folder_that_is_not_there_is_told(wheel, tmp_path):
    with pytest.raises(DiskError, match="cannot be written"):
        class_archive.make(replace(wheel, home=tmp_path / "nowhere"))


def test_the_list_is_of_the_wheel_that_is_pinned():
    pinned = re.search(r"^arcadedb-embedded==(\S+)$", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    with class_archive.CLASSES.open(encoding="utf-8") as lines:
        said = next(lines)
    assert said == f"# arcadedb-embedded {pinned[1]}\n", "run python -m scripts.classlist"


def test_set_up_and_the_image_make_it():
    for place in ("scripts/setup", "Dockerfile"):
        assert "python -m graph.class_archive" in (ROOT / place).read_text(encoding="utf-8")


def test_no_server_starts_without_it_here():
    assert find_wheel().archive is not None, "run scripts/setup"
