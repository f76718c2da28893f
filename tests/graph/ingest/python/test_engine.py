"""The type engine as a child process, its report, and what is kept between runs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import sys
import time
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from graph.errors import DiskError, EngineError
from graph.ingest.python import parsing, syntax
from graph.ingest.python.engine import NICENESS, Engine, Errand, configuration, readable
from graph.ingest.python.report import FORMAT, Report
from graph.ingest.python.shelf import Shelf
from graph.ingest.python.view import Shown, View
from graph.progress import silent

TEXT = b"""\
class A:
    def __init__(self): ...
    def __enter__(self): return self
    def __exit__(self, *rest): ...
    @property
    def p(self): return 1
    def m(self): ...


def f(a: A):
    with a:
        a.m()
        a.p
    A()
    g = f
    return map(f, [a])
"""


def fake(tmp_path: Path, script: str) -> Engine:
    binary = tmp_path / "engine"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return Engine(binary, "0")


def put(tmp_path: Path, text: bytes = TEXT) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.py").write_bytes(text)
    return root


def test_contract_of_the_pinned_engine(tmp_path: Path) -> None:
    """The shapes that the reader rests on: forms of calls, positions, receivers."""
    root = put(tmp_path)
    with Engine.find().report(root, ["a.py"], [""]) as report:
        assert report.paths == {"a.py"}
        ((path, uses),) = report.uses({"a.py"})
        types = dict(report.types({"a.py"}))
        assert report.interface("a.py")
    assert path == "a.py"
    found = {
        (use.site.line, use.kind, use.detail, aim.how, aim.place.line)
        for use in uses
        for aim in use.aims
        if use.caller is not None and use.caller.line == 10
    }
    assert {
        (11, "call", "with-enter", "call", 3),
        (12, "call", "", "call", 7),
        (13, "attribute", "", "getter", 6),
        (14, "call", "", "init", 2),
        (14, "call", "", "class", 1),
        (16, "identifier", "f", "call", 10),
    } <= found
    lines = {
        site.line: [(known.place.line, known.itself) for known in kinds] for site, kinds in types["a.py"]
    }
    assert lines[12] == [(1, False)]
    assert lines[14] == [(1, True)], "a class is told from its instances"


def test_engine_that_hangs_is_killed(tmp_path: Path) -> None:
    root = put(tmp_path)
    begun = time.monotonic()
    hanging = fake(tmp_path, "sleep 60 & sleep 60")
    with (
        pytest.raises(EngineError, match="did not finish"),
        hanging.report(root, ["a.py"], [""], seconds=0.5),
    ):
        pass
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("script", ["exit 0", "exit 3", "echo broken >&2; exit 101", "kill -9 $$"])
def test_engine_without_a_report_is_an_error(tmp_path: Path, script: str) -> None:
    root = put(tmp_path)
    failing = fake(tmp_path, script)
    with pytest.raises(EngineError), failing.report(root, ["a.py"], [""]):
        pass


def test_engine_that_is_gone_is_an_error(tmp_path: Path) -> None:
    root = put(tmp_path)
    with pytest.raises(EngineError), Engine(tmp_path / "nothing", "0").report(root, ["a.py"], [""]):
        pass


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format_version": 1}', json.dumps({"format_version": FORMAT + 1, "modules": {}})],
)
def test_unknown_report_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyrefly.pysa.json").write_text(text)
    with pytest.raises(EngineError):
        Report(tmp_path, tmp_path / "tree")


def test_configuration_is_toml_of_exactly_these_files(tmp_path: Path) -> None:
    import tomllib

    names = ["a[1].py", 'q".py', "n\nl.py", "b\\s.py", "é{x}.py", "\x7f.py"]
    found = tomllib.loads(configuration(tmp_path, names, ["src", ""]))
    patterns = [name.replace(str(tmp_path) + "/", "") for name in found["project-includes"]]
    assert patterns == ["a[[]1[]].py", 'q".py', "n\nl.py", "b\\s.py", "é[{]x[}].py", "\x7f.py"]
    assert found["search-path"] == [str(tmp_path / "src"), str(tmp_path)]
    assert readable("é.py")
    assert not readable("\udcff.py")


def shown(view: View, files: dict[str, bytes]) -> dict[str, str]:
    wanted = {path: Shown(path + str(hash(data))) for path, data in files.items()}
    return view.write(wanted, _reading(files), [])


def _reading(files: dict[str, bytes]):
    return lambda blob: next(data for path, data in files.items() if path + str(hash(data)) == blob)


def test_view_holds_exactly_the_files(tmp_path: Path) -> None:
    view = View(tmp_path / "view")
    assert shown(view, {"a.py": b"x = 1\n", "b/c.py": b"y = 1\r\n"}) == {}
    before = os.stat(view.root / "a.py").st_mtime_ns
    assert shown(view, {"a.py": b"x = 1\n", "b": b"z = 1\n"}) == {}
    assert os.stat(view.root / "a.py").st_mtime_ns == before
    assert (view.root / "b").read_bytes() == b"z = 1\n"
    again = View(tmp_path / "view")
    assert shown(again, {"b/c.py": b"y = 2\n"}) == {}
    assert [path.name for path in view.root.rglob("*.py")] == ["c.py"]


def test_damaged_view_is_written_anew(tmp_path: Path) -> None:
    view = View(tmp_path / "view")
    shown(view, {"a.py": b"x = 1\n"})
    (tmp_path / "view" / "view.msgpack").write_bytes(b"\xff\xff")
    (view.root / "a.py").write_bytes(b"x = 23\n")
    shown(View(tmp_path / "view"), {"a.py": b"x = 1\n"})
    assert (view.root / "a.py").read_bytes() == b"x = 1\n"


def test_view_refuses_what_leads_outside(tmp_path: Path) -> None:
    view = View(tmp_path / "view")
    files = {"../x.py": b"", "/x.py": b"", "a/../../x.py": b"", "s.pyi": b"", "s.py": b"", "\udcff.py": b""}
    assert shown(view, files).keys() == files.keys() - {"s.py"}
    assert [path.name for path in tmp_path.rglob("*.py*") if "support" not in path.parts] == ["s.py"]


def test_view_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "view").write_text("a file")
    with pytest.raises(DiskError):
        shown(View(tmp_path / "view"), {"a.py": b""})


def test_shelf_keeps_by_kind_and_version(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s.sqlite", "1")
    shelf.put("a", {str(number): b"%d" % number for number in range(1200)})
    assert len(shelf.get("a", map(str, range(1500)))) == 1200
    assert shelf.get("b", ["1"]) == {}
    shelf.close()
    assert Shelf(tmp_path / "s.sqlite", "1").get("a", ["7"]) == {"7": b"7"}
    assert Shelf(tmp_path / "s.sqlite", "2").get("a", ["7"]) == {}


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 1000])
def test_damaged_shelf_starts_empty(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "s.sqlite"
    shelf = Shelf(path, "1")
    shelf.put("a", {"1": b"1"})
    shelf.close()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.write_bytes(damage)
    again = Shelf(path, "1")
    assert again.get("a", ["1"]) == {}
    again.put("a", {"1": b"2"})
    assert again.get("a", ["1"]) == {"1": b"2"}


def test_old_rows_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    shelf = Shelf(path, "1")
    shelf.put("a", {"1": b"1", "2": b"2"})
    shelf.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE shelf SET day = 1")
    database.close()
    assert Shelf(path, "1").get("a", ["1", "2"]) == {}


def test_parsing_here_and_in_workers_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "FEW", 4)
    monkeypatch.setattr(parsing, "CHUNK", 3)
    monkeypatch.setattr(parsing.os, "cpu_count", lambda: 2)
    files = {f"f{number}.py": f"def f{number}(): return {number}\n".encode() for number in range(20)}
    files["bad.py"] = b"def ("
    ids = {path: path for path in files}
    shelf = Shelf(tmp_path / "s.sqlite", "1")
    found = parsing.parse_all(ids, files.__getitem__, shelf, silent)
    assert list(found) == list(files)
    assert found == {path: syntax.parse(path, data) for path, data in files.items()}

    def unread(blob: str) -> bytes:
        raise AssertionError(blob)

    assert parsing.parse_all(ids, unread, shelf, silent) == found


def test_damaged_record_is_parsed_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s.sqlite", "1")
    shelf.put(parsing.KIND, {"1": msgspec.msgpack.encode([1, 2])})
    found = parsing.parse_all({"a.py": "1"}, lambda blob: b"x = 1\n", shelf, silent)
    assert found["a.py"] == syntax.parse("a.py", b"x = 1\n")


def test_engine_is_found_beside_the_interpreter() -> None:
    found = Engine.find()
    assert found.binary.is_file()
    assert found.version
    assert shutil.which(str(found.binary))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such priorities")
def test_the_engine_stands_back_where_processors_are_short(tmp_path: Path) -> None:
    root, said = put(tmp_path), tmp_path / "said"
    script = f"sleep 0.5; nice >{said}; cat /proc/self/autogroup >>{said} 2>/dev/null; exit 3"
    with pytest.raises(EngineError, match="status 3"), fake(tmp_path, script).report(root, ["a.py"], [""]):
        pass
    niceness, *group = said.read_text().splitlines()
    assert int(niceness) == os.nice(0) + NICENESS
    assert all(line.endswith(f"nice {NICENESS}") for line in group)


def test_whoever_waits_is_told_when_the_engine_is_under_way(tmp_path: Path) -> None:
    root, errand, began = put(tmp_path), Errand(), tmp_path / "began"
    engine = fake(tmp_path, f"touch {began}; sleep 60")

    def wait() -> None:
        assert errand.under_way.wait(30)
        errand.unwanted.set()

    waiter = Thread(target=wait)
    waiter.start()
    with (
        pytest.raises(EngineError, match="not waited for"),
        engine.report(root, ["a.py"], [""], errand=errand),
    ):
        pass
    waiter.join()


def test_a_file_that_is_two_modules_is_answered_by_the_one_that_was_to_be_read(tmp_path: Path) -> None:
    """Whatever the order in which the report lists them, which is another each time the engine runs."""
    root = tmp_path / "tree"
    files = {"src/pkg/__init__.py": "", "src/pkg/a.py": "def f(): ...\n", "src/pkg/b.py": ""}
    files["src/pkg/b.py"] = "from pkg import a\n\n\ndef g():\n    a.f()\n"
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    with Engine.find().report(root, list(files), ["", "src"]) as report:
        folder = report._folder
        project = json.loads((folder / "pyrefly.pysa.json").read_text())
        twice = [
            each for each in project["modules"].values() if each["module_name"] in ("src.pkg.a", "pkg.a")
        ]
        assert [
            each.get("is_internal", False) for each in sorted(twice, key=lambda each: each["module_id"])
        ] == [
            True,
            False,
        ]
        for name in ("definitions", "call_graphs"):
            (other,) = (folder / name).glob("pkg.a:*.json")
            told = json.loads(other.read_text())
            told["function_definitions" if name == "definitions" else "call_graphs"].clear()
            other.write_text(json.dumps(told))
        said = []
        for turn in (1, -1):
            project["modules"] = dict(list(project["modules"].items())[::turn])
            (folder / "pyrefly.pysa.json").write_text(json.dumps(project))
            again = Report(folder, root)
            said.append(
                (
                    dict(again.uses(files)),
                    dict(again.types(files)),
                    [again.interface(path) for path in files],
                    [again.handing(path) for path in files],
                    again.written(),
                )
            )
            assert list(again.places("src/pkg/a.py"))
        assert said[0] == said[1]
        assert said[0][2][1] == report.interface("src/pkg/a.py")
