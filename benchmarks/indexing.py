"""Lines indexed a CPU second, beside npm's `@colbymchenry/codegraph` in the same run.

    python -m benchmarks.indexing CLONE [--edit] [--codegraph PATH]

Ours is counted from nothing to a queryable code graph: the process, the type engine it starts
and the database server. History is a second phase with a figure of its own. With `--edit` one
line of one function changes, the server is up and Maestro is resident (it keeps what it read last, and the
type engine stays up); codegraph syncs the same. The server starts as after set-up: from the archive of its
classes that is made there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

CODEGRAPH = "@colbymchenry/codegraph@1.6.1"
QUIET = {"CODEGRAPH_TELEMETRY": "0", "NO_COLOR": "1"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall clock and of CPU, children and servers included."""

    wall: float
    cpu: float


def used_by_children() -> float:
    """CPU seconds of the children waited for so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used_here() -> float:
    """CPU seconds of this process and of its children, those that stay up (the type engine) included.

    The database server is counted for itself.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    living = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "java" not in (process.cmdline() or [""])[0]:
                times = process.cpu_times()
                living += times.user + times.system
        except psutil.NoSuchProcess:  # it ended meanwhile, and counts among the children waited for
            continue
    return usage.ru_utime + usage.ru_stime + used_by_children() + living


def used_by_servers(data: Path) -> float:
    """CPU seconds so far of the processes whose command line names the data directory."""
    total = 0.0
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(data) in word for word in words) and "java" in words[0]:
            times = process.cpu_times()
            total += times.user + times.system
    return total


def lines_of(clone: Path) -> int:
    """Lines of the Python files that git tracks at HEAD."""
    names = subprocess.run(
        ["git", "-C", str(clone), "ls-files", "-z", "*.py"], check=True, capture_output=True
    ).stdout.split(b"\0")
    total = 0
    for name in names:
        path = clone / os.fsdecode(name)
        if name and path.is_file():
            total += path.read_bytes().count(b"\n")
    return total


def find_codegraph(given: str | None) -> list[str]:
    """The peer's command: as given, from PATH, or installed from npm into the user's cache."""
    found = given or shutil.which("codegraph")
    if found:
        return [found]
    home = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "maestro-benchmarks"
    command = home / "node_modules" / ".bin" / "codegraph"
    if not command.exists():
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", str(home), CODEGRAPH], check=True, capture_output=True)
    return [str(command)]


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command to its end and count it."""
    wall, cpu = time.perf_counter(), used_by_children()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, **QUIET})
    return Cost(time.perf_counter() - wall, used_by_children() - cpu)


def edit_one_line(clone: Path) -> str:
    """Change one line in the middle of the longest function of the largest file; commit it."""
    import ast

    files = sorted(
        (path for path in clone.rglob("*.py") if "test" not in str(path.relative_to(clone))),
        key=lambda path: path.stat().st_size,
    )
    for path in reversed(files):
        text = path.read_text(encoding="utf-8")
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        plain = [f for f in functions if isinstance(f.body[-1], ast.Return) and len(f.body) > 3]
        if not plain:
            continue
        chosen = max(plain, key=lambda f: (f.end_lineno or 0) - f.lineno)
        last = chosen.body[-1]
        lines = text.splitlines(keepends=True)
        lines.insert(last.lineno - 1, " " * last.col_offset + "print('edited')\n")
        path.write_text("".join(lines), encoding="utf-8")
        git = ["git", "-C", str(clone), "-c", "user.name=b", "-c", "user.email=b@example.org"]
        subprocess.run([*git, "commit", "-qam", "One line"], check=True, capture_output=True)
        return str(path.relative_to(clone))
    raise SystemExit("No function to edit was found.")


def ours(clone: Path, data: Path, edit: bool) -> dict[str, float]:
    """Run our side in a process of its own and read what it measured."""
    command = [sys.executable, "-m", "benchmarks.indexing", "--ours", str(data), str(clone)]
    wall = time.time()
    done = subprocess.run(
        [*command, *(["--edit"] if edit else [])], check=True, capture_output=True, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    figures["wall"] = figures.pop("code_done") - wall
    return figures


async def index_here(clone: Path, data: Path, edit: bool) -> dict[str, float]:
    """Our side: index from nothing, then the history, then (with `edit`) one line."""
    from graph.memory import loading

    with loading():  # as the command line does
        from graph.facts import Scope
        from graph.indexing import IndexReport, index
        from graph.reading import Reading, reading_ahead
        from graph.residence import Residence
        from graph.store import Store, StoreSettings
        from graph.workspace import Workspace

    workspace, scope = Workspace(data), Scope("benchmark", clone.name)
    settings = StoreSettings(data_dir=data / "store", idle_seconds=0)
    figures: dict[str, float] = {}

    async def timed(name: str, reading: Reading | None = None, history: bool = False) -> IndexReport:
        wall, cpu = time.perf_counter(), used_here() + used_by_servers(data)
        report = await index(
            store, workspace, scope, clone, with_history=history, residence=residence, reading=reading
        )
        figures[f"{name}_wall"] = time.perf_counter() - wall
        figures[f"{name}_cpu"] = used_here() + used_by_servers(data) - cpu
        return report

    with Residence() as residence, reading_ahead(workspace, scope, clone, residence=residence) as reading:
        async with Store.open(settings) as store:
            await store.migrate()
            report = await timed("code", reading)
            figures["code_done"] = time.time()
            figures["own_cpu"], figures["server_cpu"] = used_here(), used_by_servers(data)
            figures["nodes"], figures["edges"] = report.nodes, report.edges
            report = await timed("history", history=True)
            figures["history_commits"] = report.commits_read
            if edit:
                edit_one_line(clone)
                await asyncio.sleep(2.0)
                report = await timed("edit")
                figures["edit_created"], figures["edit_retired"] = report.created, report.retired
    return figures


def run(clone: Path, edit: bool, codegraph: str | None) -> None:
    """Measure both sides on copies of the clone, and print what came out."""
    from benchmarks.figures import print_figures  # not in our side's process, which loads numpy as it likes

    peer = find_codegraph(codegraph)
    with tempfile.TemporaryDirectory() as place:
        copy, other = Path(place) / clone.name, Path(place) / "peer" / clone.name
        for target in (copy, other):
            subprocess.run(["git", "clone", "-q", str(clone), str(target)], check=True)
        lines = lines_of(copy)
        theirs = measure([*peer, "init", "--yes", "."], other)
        mine = ours(copy, Path(place) / "data", edit)
        cpu = mine["own_cpu"] + mine["server_cpu"]
        figures = {
            "lines": float(lines),
            "cpu_s": cpu,
            "own_and_engine_cpu_s": mine["own_cpu"],
            "server_cpu_s": mine["server_cpu"],
            "wall_s": mine["wall"],
            "lines_per_cpu_s": lines / cpu,
            "codegraph_cpu_s": theirs.cpu,
            "codegraph_wall_s": theirs.wall,
            "ratio_to_codegraph": theirs.cpu / cpu,
            "wall_ratio_to_codegraph": theirs.wall / mine["wall"],
            "history_cpu_s": mine["history_cpu"],
            "history_wall_s": mine["history_wall"],
            "history_commits": mine["history_commits"],
            "nodes": mine["nodes"],
            "hyperedges": mine["edges"],
        }
        if edit:
            edit_one_line(other)
            synced = measure([*peer, "sync", "."], other)
            figures |= {
                "edit_cpu_s": mine["edit_cpu"],
                "edit_wall_s": mine["edit_wall"],
                "codegraph_edit_cpu_s": synced.cpu,
                "codegraph_edit_wall_s": synced.wall,
                "edit_ratio_to_codegraph": mine["edit_cpu"] / synced.cpu,
            }
    for name, value in figures.items():
        print(f"{name:28} {value:12.3f}")
    print_figures("indexing", clone.name, figures)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--edit", action="store_true", help="measure a one-line edit too")
    parser.add_argument("--codegraph", help="the peer's command, where it is not on PATH")
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    clone = given.clone.resolve()
    if given.ours:
        print(json.dumps(asyncio.run(index_here(clone, given.ours, given.edit))))
    else:
        run(clone, given.edit, given.codegraph)


if __name__ == "__main__":
    main()
