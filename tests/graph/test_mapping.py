"""A mapped file that somebody cuts short: told before it is read, and said where it is too late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from example_facts import step

from graph.facts import Scope
from graph.incidence import Incidence
from graph.mapping import intact, mapping_of
from graph.resolution import open_arrays

ROOT = Path(__file__).parents[2]

READER = """
import sys
from pathlib import Path
from graph.incidence import Incidence
from graph.mapping import guard
guard(7)
arrays = Incidence.open(Path(sys.argv[1]))
print("mapped", flush=True)
sys.stdin.readline()
print(int(arrays.lines.sum()), int(arrays.member_node.sum()), arrays.keys[0])
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    scope = Scope("local", "cut")
    nodes, edges = step(scope, 1, 1, 3_000)
    path = tmp_path / "code.arrays"
    Incidence.build([*nodes, *edges], scope=scope, head=1, commit="c", tree="t").save(path)
    return path


def test_arrays_in_memory_are_always_intact() -> None:
    built = Incidence.build([], scope=Scope("local", "x"), head=1, commit="c", tree="t")
    assert mapping_of(built) is None and intact(built)


def test_a_cut_is_seen_and_a_replacement_is_none(place: Path) -> None:
    arrays = Incidence.open(place)
    assert mapping_of(arrays) is not None and intact(arrays)
    Incidence.open(place).save(place)
    assert intact(arrays), "the old file is still there for those who mapped it"
    again = Incidence.open(place)
    os.truncate(place, place.stat().st_size // 2)
    assert intact(arrays) and not intact(again)
    assert open_arrays(place) is None, "what is left of it is not used"
    assert not place.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="no SIGBUS here")
def test_a_reader_whose_file_is_cut_under_it_says_so(place: Path) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(place)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert reader.stdout is not None and reader.stdout.readline() == "mapped\n"
    os.truncate(place, 4096)
    said, complained = reader.communicate("\n", timeout=60)
    assert reader.returncode == 7 and said == ""
    assert "cut short while it was read" in complained and "built anew" in complained
