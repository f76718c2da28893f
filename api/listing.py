"""Answers as people read them on a terminal: lists, reports and check-ups."""

from __future__ import annotations

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.documents import Found, Health, Indexed, Paths, ProofPath, Pruned, Status, Step, TakenIn
from api.rendering import place, plural, printable, title

DIAGNOSES = 5
"""Diagnoses shown; the rest is counted."""


def size(count: float) -> str:
    """Bytes as people say them: `12 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def print_indexed(console: Console, report: Indexed) -> None:
    """What an index run did, in a few lines."""
    done = "is up to date" if report.unchanged else "is indexed"
    console.print(
        Text.assemble(
            ("✓ ", "good"),
            (printable(report.repository), "bold"),
            f" {done} at ",
            (report.commit[:10], "command"),
            ("  " + printable(report.summary)[:60], "quiet"),
        )
    )
    facts = f"{plural(report.edges, 'fact')} about {plural(report.nodes, 'thing')}"
    parts = [facts] if report.unchanged else [plural(report.sources, "file") + " read", facts]
    if not report.unchanged:
        parts.append(f"{report.created:,} new, {report.retired:,} retired")
    if report.commits_read:
        parts.append(plural(report.commits_read, "commit"))
    lines = [Text(" · ".join((*parts, f"run {report.run}", f"{report.seconds:.1f} s")), style="quiet")]
    if report.coverage:
        lines.append(Text(printable(report.coverage), style="quiet"))
    for diagnosis in report.diagnoses[:DIAGNOSES]:
        lines.append(Text(f"{printable(diagnosis.path)}: {printable(diagnosis.message)}", style="note"))
    if len(report.diagnoses) > DIAGNOSES:
        more = len(report.diagnoses) - DIAGNOSES
        lines.append(Text(f"and {more:,} more such files (maestro index --full --json)", style="quiet"))
    lines += [Text(printable(each), style="note") for each in report.notes]
    if report.recordings is not None:
        lines += _taken(report.recordings)
    console.print(Padding(Group(*lines), (0, 0, 0, 2)))


def _taken(taken: TakenIn) -> list[Text]:
    """Recordings of test runs that were taken in."""
    lines = [
        Text(
            f"{printable(each.name)}: {each.format} of {plural(each.tests, 'test')}, {each.distance}"
            + (", with edits" if each.dirty else ""),
            style="good",
        )
        for each in taken.recordings
    ]
    facts = f"{plural(taken.edges, 'runtime fact')} about {plural(taken.tests, 'test')}"
    lines.append(Text(f"{facts} · {taken.created:,} new, {taken.retired:,} retired", style="quiet"))
    return lines + [Text(printable(note), style="note") for note in taken.notes]


def _print_time(console: Console, found: Paths | Found) -> None:
    """Of when an answer is, where it is not of today."""
    if found.at:
        then = f"As of {found.at}: indexed {found.commit[:10]}, run {found.run}"
        console.print(Text(then, style="quiet"))


def print_paths(console: Console, found: Paths) -> None:
    """Proof paths, one below the other, a step a line."""
    source, target = title(found.source), title(found.target)
    _print_time(console, found)
    if not found.paths:
        console.print(Text(f"Nothing leads from {source} to {target}, in either direction.", style="note"))
        console.print(
            Text("A weaker tier or a greater depth may find something: --tier name, --depth 20.", "quiet")
        )
        return
    verb = "depends on" if found.direction == "depends" else "reaches"
    console.print(Text.assemble((source, "bold"), f" {verb} ", (target, "bold")))
    for number, path in enumerate(found.paths, 1):
        console.print()
        steps = plural(len(path.steps), "step")
        console.print(Text.assemble((f"{number}  ", "count"), steps, "  ", (path.tier, path.tier)))
        console.print(Padding(_path(path), (0, 0, 0, 3)))


def _path(path: ProofPath) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(4):
        grid.add_column(overflow="fold")
    for number, step in enumerate(path.steps):
        if number == 0:
            grid.add_row("", Text(title(step.source)), Text(place(step.source), style="place"), "")
        grid.add_row(
            Text(f"↳ {step.edge}", style="quiet"),
            Text(title(step.target)),
            Text(_site(step), style="place"),
            Text(step.tier, style=step.tier),
        )
    return grid


def _site(step: Step) -> str:
    return printable(f"{step.path}:{step.line}" if step.line else step.path)


def print_found(console: Console, found: Found) -> None:
    """What a search found, best first."""
    _print_time(console, found)
    if not found.results:
        console.print(
            Text(f"Nothing in {found.repository} is called {printable(found.query)}.", style="note")
        )
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for symbol in found.results:
        what = symbol.sort or symbol.kind.lower()
        style = "test" if symbol.kind == "Test" else ""
        grid.add_row(
            Text(what, style="quiet"), Text(title(symbol), style=style), Text(place(symbol), style="place")
        )
    console.print(grid)
    if found.more:
        console.print(Text(f"The first {len(found.results):,} are shown (--limit).", style="quiet"))


def print_status(console: Console, status: Status) -> None:
    """The repositories and where everything is."""
    if status.repositories:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="quiet", pad_edge=False)
        for name in ("repository", "commit", "run", "things", "facts", "on disk"):
            table.add_column(name, justify="left" if name in ("repository", "commit") else "right")
        for each in status.repositories:
            table.add_row(
                Text(printable(each.name), style="bold"),
                each.commit[:10] or "-",
                f"{each.run:,}",
                f"{each.nodes:,}",
                f"{each.edges:,}",
                size(each.bytes),
            )
        console.print(table)
        for each in status.repositories:
            for held in each.recordings[:3]:
                told = f"{held.format} of {plural(held.tests, 'test')}, {held.distance}, {size(held.bytes)}"
                console.print(Text(f"{printable(each.name)}: {told}", style="quiet"))
            if len(each.recordings) > 3:
                console.print(Text(f"and {len(each.recordings) - 3} more recordings", style="quiet"))
    else:
        console.print(Text.assemble("Nothing is indexed yet. Begin with ", ("maestro index .", "command")))
    console.print()
    console.print(Text.assemble(("Store  ", "quiet"), printable(status.server)))
    console.print(Text.assemble(("Data   ", "quiet"), printable(status.data)))


def print_health(console: Console, health: Health) -> None:
    """What the doctor found: well, note or wrong, and what to do."""
    signs = {"well": ("✓", "good"), "note": ("·", "note"), "wrong": ("✗", "bad")}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="heading")
    grid.add_column(overflow="fold")
    for check in health.checks:
        sign, style = signs[check.outcome]
        text = Text(printable(check.detail))
        if check.hint:
            text.append(f"\n{printable(check.hint)}", style="quiet")
        grid.add_row(Text(sign, style=style), printable(check.name), text)
    console.print(grid)
    wrong = sum(check.outcome == "wrong" for check in health.checks)
    console.print()
    verdict = "Everything is as it should be." if health.well else f"{plural(wrong, 'thing')} to put right."
    console.print(Text(verdict, style="good" if health.well else "bad"))


def print_pruned(console: Console, pruned: Pruned) -> None:
    """What was taken away."""
    console.print(
        Text.assemble(
            ("✓ ", "good"),
            f"{plural(pruned.removed, 'retired fact')} and {plural(pruned.nodes, 'thing')} ",
            f"{'would be ' if pruned.dry_run else ''}removed, {size(pruned.bytes)} freed",
        )
    )
