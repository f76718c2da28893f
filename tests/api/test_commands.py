"""The command line on a real store."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from api import console
from api.commands import running
from graph.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]


def names(entries):
    return {entry["symbol"]["name"] for entry in entries}


def test_indexing_says_what_it_did_and_a_second_time_that_nothing_moved(maestro, clone):
    first = maestro.json("index", str(clone.root))
    assert first["maestro"] == {"shape": "index", "version": 1}
    assert (first["repository"], first["unchanged"], first["sources"]) == ("shop", False, 4)
    assert first["created"] == first["edges"] > 10
    assert first["retired"] == 0
    second = maestro.json("index", str(clone.root))
    assert (second["unchanged"], second["created"], second["retired"]) == (True, 0, 0)
    shown = maestro("index", str(clone.root)).stdout
    assert "shop is up to date at" in shown


def test_only_what_moved_is_written(maestro, clone):
    whole = maestro.json("index", str(clone.root))
    clone.commit(
        "One body",
        {"shop/cart.py": (clone.root / "shop/cart.py").read_text().replace("return 1", "return 2")},
    )
    moved = maestro.json("index", str(clone.root))
    assert 0 < moved["created"] < whole["created"] / 2
    assert 0 < moved["retired"] < whole["created"] / 2


def test_a_commit_shows_what_it_reaches_and_proves_it(indexed):
    found = indexed.json("impact", "second")
    assert found["maestro"] == {"shape": "impact", "version": 1}
    assert names(found["changed"]) == {"tax"}
    assert found["changed"][0]["reasons"] == ["body"]
    assert {"total", "Cart.sum"} <= names(found["reached"])
    assert names(found["tests"]) == {"test_sum"}
    assert "idle" not in names(found["reached"])
    for entry in (*found["reached"], *found["tests"]):
        proof = entry["proof"]
        assert len(proof) == entry["distance"]
        assert proof[0]["source"]["name"] == "tax"
        assert proof[-1]["target"]["key"] == entry["symbol"]["key"]
        assert all(a["target"] == b["source"] for a, b in pairwise(proof))
    assert {owner["owner"]: owner["changed"] for owner in found["owners"]}["@money"] == 1
    assert found["derived"][1] == "indexed" and found["derived"][0] in ("resolved", "kept")


def test_a_commit_of_words_alone_reaches_nothing_and_says_so(indexed):
    done = indexed("impact", "HEAD")
    assert done.exit_code == 0
    assert "Nothing that runs differs." in done.stdout
    assert "README.md" in done.stdout


def test_the_first_commit_has_nothing_before_it(indexed):
    done = indexed("impact", "first")
    assert done.exit_code == 0
    assert "base nothing" in done.stdout
    assert "added" in done.stdout


def test_a_merge_is_judged_against_its_first_parent(maestro, clone):
    clone.git("checkout", "-q", "-b", "side")
    clone.commit("Aside", {"shop/more.py": "def more():\n    return 1\n"})
    clone.git("checkout", "-q", "main")
    clone.commit("Ahead", {"README.md": "more\n"})
    clone.git("merge", "-q", "--no-ff", "-m", "Together", "side")
    maestro.json("index", str(clone.root))
    assert "more" in names(maestro.json("impact", "HEAD")["changed"])


def test_a_diff_is_judged_without_being_committed(maestro, clone):
    maestro.json("index", str(clone.root))
    place = clone.root / "shop/prices.py"
    place.write_text(place.read_text().replace("RATE = 7", "RATE = 8"))
    diff = clone.git("diff")
    found = maestro.json("impact", "--diff", "-", input=diff)
    assert names(found["changed"]) == {"RATE"}
    assert "test_sum" in names(found["tests"])
    assert found["head"] == ""
    (clone.root / "a.diff").write_text(diff)
    assert maestro.json("impact", "--diff", str(clone.root / "a.diff"))["changed"] == found["changed"]


def test_a_new_commit_is_seen_without_indexing_again(maestro, clone):
    maestro.json("index", str(clone.root))
    clone.commit("New", {"shop/prices.py": "RATE = 9\n"})
    found = maestro.json("impact", "HEAD")
    assert {"tax", "total"} <= names(found["changed"])
    assert "Cart.sum" in names(found["reached"])


@pytest.mark.parametrize("asked", ["tax", "shop/prices.py:6", "shop/prices.py::tax", "shop.prices.tax"])
def test_a_symbol_is_named_in_several_ways(indexed, asked):
    found = indexed.json("impact", asked)
    assert names(found["changed"]) == {"tax"}
    assert names(found["tests"]) == {"test_sum"}


def test_downwards_is_what_it_stands_on(indexed):
    found = indexed.json("impact", "Cart.sum", "--direction", "down")
    assert {"total", "tax", "RATE"} <= names(found["reached"])
    assert not found["tests"]


def test_depth_ends_a_cone(indexed):
    found = indexed.json("impact", "tax", "--depth", "1")
    assert {entry["distance"] for entry in found["reached"]} == {1}


def test_pictures(indexed):
    assert indexed("impact", "tax", "--dot").stdout.startswith("digraph impact {")
    assert indexed("impact", "tax", "--mermaid").stdout.startswith("flowchart LR")


def test_a_path_is_found_from_what_depends(indexed):
    found = indexed.json("path", "Cart.sum", "tax")
    assert found["direction"] == "depends"
    assert [step["target"]["name"] for step in found["paths"][0]["steps"]] == ["total", "tax"]
    assert indexed.json("path", "tax", "Cart.sum")["direction"] == "reaches"
    assert indexed.json("path", "idle", "tax")["paths"] == []
    assert "leads from" in indexed("path", "idle", "tax").stdout
    assert "↳ Calls" in indexed("path", "Cart.sum", "tax").stdout


def test_search_finds_by_part(indexed):
    found = indexed.json("search", "tot")
    assert [each["name"] for each in found["results"]][:1] == ["total"]
    assert "shop/prices.py:9" in indexed("search", "tot").stdout
    assert "Nothing in shop" in indexed("search", "zzzzqq").stdout
    assert indexed.json("search", "t", "--limit", "1")["more"]


def test_export_gives_rows(indexed):
    found = indexed.json("export", "calls")
    assert ["shop/prices.py", 9, "shop/prices.py", 4] in [row[:4] for row in found["rows"]]
    lines = indexed("export", "calls").stdout.splitlines()
    assert len(lines) == len(found["rows"])
    assert all(len(line.split("\t")) == 5 for line in lines)


def test_status_lists_repositories(indexed, shop):
    found = indexed.json("status")
    assert [each["name"] for each in found["repositories"]] == ["shop"]
    assert found["repositories"][0]["origin"] == str(shop.root)
    assert "shop" in indexed("status").stdout


def test_doctor_finds_everything_well(indexed):
    done = indexed("doctor")
    assert done.exit_code == 0, done.stdout
    assert "Everything is as it should be." in done.stdout


def test_doctor_finds_damaged_arrays_and_mends_them(maestro, clone):
    maestro.json("index", str(clone.root))
    arrays = next(
        Path(maestro.environment["MAESTRO_DATA"]).glob(
            f"repositories/{maestro.environment['MAESTRO_TENANT']}/shop/code.arrays"
        )
    )
    before = arrays.read_bytes()
    arrays.write_bytes(before[: len(before) // 2])
    broken = maestro("doctor", "--json")
    assert broken.exit_code == 1
    assert not json.loads(broken.stdout)["well"]
    assert maestro("doctor", "--repair").exit_code == 0
    assert maestro("doctor").exit_code == 0
    assert names(maestro.json("impact", "tax")["tests"]) == {"test_sum"}


def test_doctor_tells_an_unreachable_server_and_ends_with_one(tmp_path, maestro):
    away = {
        "MAESTRO_DATA": str(tmp_path),
        "MAESTRO_NEO4J_URI": "bolt://127.0.0.1:1",
        "MAESTRO_NEO4J_PASSWORD": "x",
    }
    maestro.environment = away
    done = maestro("doctor", "--json")
    assert done.exit_code == 1
    server = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "server"]
    assert server[0]["outcome"] == "wrong"
    assert server[0]["hint"]
    assert maestro("status").exit_code == 21


def test_prune_leaves_what_is_valid(maestro, clone):
    maestro.json("index", str(clone.root))
    for number in range(3):
        clone.commit("Again", {"shop/cart.py": f"def idle():\n    return {number}\n"})
        maestro.json("index", str(clone.root))
    maestro.environment["MAESTRO_KEEP"] = "1"
    before = maestro.json("impact", "tax")
    pruned = maestro.json("prune")
    assert pruned["removed"] > 0
    after = maestro.json("impact", "tax")
    assert after["reached"] == before["reached"]
    assert maestro("doctor").exit_code == 0
    assert maestro.json("prune")["removed"] == 0


def test_several_repositories_live_side_by_side(maestro, clone, tmp_path):
    maestro.json("index", str(clone.root))
    maestro.json("index", str(clone.root), "--name", "other")
    assert [each["name"] for each in maestro.json("status")["repositories"]] == ["other", "shop"]
    several = maestro("search", "tax")
    assert several.exit_code == 4
    assert "--repo" in several.stderr
    assert maestro.json("search", "tax", "--repo", "other")["repository"] == "other"
    assert maestro("search", "tax", "--repo", "shops").exit_code == 3


def test_another_clone_of_the_same_name_does_not_take_its_place(maestro, clone, tmp_path):
    maestro.json("index", str(clone.root))
    type(clone)(tmp_path / "elsewhere" / "shop").commit("x", {"a.py": "x = 1\n"})
    refused = maestro("index", str(tmp_path / "elsewhere" / "shop"))
    assert refused.exit_code == 2
    assert "--name" in refused.stderr


BAD = [
    (["impact", "no_such_symbol"], 3),
    (["impact", "no/such/file.py:1"], 3),
    (["impact", "shop/prices.py:999"], 3),
    (["impact", "nobranch..HEAD"], 3),
    (["impact", "--diff", "/no/such/file"], 2),
    (["impact", "tax", "--depth", "0"], 2),
    (["impact", "tax", "--depth", "1000"], 2),
    (["impact", "tax", "--tier", "sure"], 2),
    (["impact", "tax", "--direction", "left"], 2),
    (["impact", "tax", "--dot", "--mermaid"], 2),
    (["impact", "tax", "--diff", "-"], 2),
    (["path", "tax", "nowhere"], 3),
    (["path", "tax", "total", "-k", "0"], 2),
    (["search", ""], 2),
    (["search", "x" * 1000], 2),
    (["export", "nonsense"], 2),
    (["search", "tax", "--repo", "../etc"], 3),
    (["index", "/no/such/place"], 5),
    (["index", "/"], 5),
    (["index", ".", "--name", "../up"], 2),
    (["serve", "--host", "0.0.0.0"], 41),
    (["serve", "--host", "example.org"], 41),
    (["serve", "--port", "70000"], 2),
    (["nonsense"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), BAD, ids=[" ".join(a)[:40] for a, _ in BAD])
def test_bad_input_ends_with_its_code_and_a_hint(indexed, arguments, code):
    done = indexed(*arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("diff", ["", "no diff at all", "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"])
def test_a_bad_diff_is_refused(indexed, diff):
    done = indexed("impact", "--diff", "-", input=diff)
    assert done.exit_code in (2, 6)
    assert done.stderr.startswith("Error: ")


def test_an_error_is_a_document_where_json_was_asked_for(indexed):
    done = indexed("impact", "no_such_symbol", "--json")
    told = json.loads(done.stdout)
    assert told["maestro"] == {"shape": "error", "version": 1}
    assert (told["code"], told["exit_code"], done.exit_code) == ("input.not-found", 3, 3)


def test_a_bad_setting_is_told(maestro):
    maestro.environment["MAESTRO_HEAP"] = "lots"
    done = maestro("status")
    assert done.exit_code == 2
    assert "MAESTRO_HEAP" in done.stderr


@pytest.mark.parametrize(
    "command", ["index", "impact", "path", "search", "export", "status", "doctor", "serve", "prune"]
)
def test_help_teaches(maestro, command):
    done = maestro(command, "--help")
    assert done.exit_code == 0
    if command not in ("status", "doctor", "prune"):
        assert f"maestro {command}" in done.stdout or "curl" in done.stdout


def test_all_commands_are_listed(maestro):
    shown = maestro("--help").stdout
    for command in ("index", "impact", "path", "search", "export", "status", "doctor", "serve", "prune"):
        assert f" {command} " in shown


def process(maestro, *arguments, **options):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    environment = {**ours, **maestro.environment, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_answers_go_to_standard_output_and_progress_does_not(indexed):
    running = process(indexed, "impact", "tax", "--json")
    out, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert json.loads(out)["changed"]


def test_a_reader_that_goes_away_is_no_error(indexed):
    running = process(indexed, "export", "calls")
    running.stdout.close()
    running.wait(timeout=120)
    told = running.stderr.read()
    assert "Traceback" not in told
    assert "Error" not in told


def test_ctrl_c_that_was_dropped_where_it_came_in_stops_the_work_all_the_same(maestro, clone, monkeypatch):
    heard = []

    class Dropping(console.Meter):
        def __call__(self, phase, done, total):
            heard.append(phase)
            super().__call__(phase, done, total)
            with suppress(KeyboardInterrupt):  # as code in C does that has no use for it
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console, "Meter", Dropping)
    done = maestro("index", str(clone.root))
    assert done.exit_code == 130 and len(heard) <= 3, (done.output, heard)
    monkeypatch.undo()
    assert maestro("index", str(clone.root)).exit_code == 0  # the next command begins anew


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(maestro, clone):
    many = {
        f"shop/m{i}.py": "".join(f"def f{i}_{j}():\n    return {j}\n\n\n" for j in range(200))
        for i in range(60)
    }
    clone.commit("Much", many)
    running = process(maestro, "index", str(clone.root), start_new_session=True)
    at_work = maestro.settings.data / "repositories" / maestro.settings.tenant / "shop" / "writer.lock"
    deadline = time.monotonic() + 120
    while not at_work.exists():
        assert running.poll() is None and time.monotonic() < deadline, "it never got to work"
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=120)
    assert running.returncode == 130, told
    assert "Stopped." in told
    assert "Traceback" not in told
    assert maestro.json("index", str(clone.root))["nodes"] > 12_000
    assert maestro("doctor").exit_code == 0


@pytest.mark.parametrize("error", [StoreError("The line was cut."), ZeroDivisionError()])
def test_what_fails_because_of_ctrl_c_is_no_failure(error, capsys):
    with pytest.raises(typer.Exit) as left, running.failing(False, "It goes on."):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise error
    running.interrupted.clear()
    assert left.value.exit_code == 130
    assert capsys.readouterr().err.strip() == "Stopped. It goes on."


@pytest.mark.parametrize(("stopped", "said"), [(False, True), (True, False)])
def test_a_task_that_ctrl_c_cut_off_is_not_told_of(stopped, said, monkeypatch, caplog):
    if stopped:
        monkeypatch.setattr(running, "interrupted", threading.Event())
        running.interrupted.set()

    async def fail():
        raise StoreError("The line was cut.")

    async def main():
        asyncio.get_running_loop().set_exception_handler(running._unheard)
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
    assert ("The line was cut." in caplog.text) == said


@pytest.mark.parametrize("words", [["--help"], ["index", "--help"], ["impact", "--help"]])
def test_help_loads_nothing_that_only_answers_need(words: list[str]) -> None:
    code = f"""
import sys
from api.command import main
sys.argv = ["maestro", *{words!r}]
try:
    main()
except SystemExit:
    pass
print(sorted({{"numpy", "neo4j", "pygit2", "strawberry", "starlette"}} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout
