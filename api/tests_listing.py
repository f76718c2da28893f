"""Selected tests as people read them on a terminal, and as programs take them."""

from __future__ import annotations

import difflib
from xml.sax.saxutils import quoteattr

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from api.documents import Backtest, SelectedTest, Tests
from api.rendering import plural, printable
from graph.errors import InputError, NotFoundError

SHOWN = 12
"""Tests shown before the rest is counted; `--all` shows everything."""


def print_tests(console: Console, found: Tests, everything: bool = False) -> None:
    """What to run and why, one line a test; what was widened; what it stands on."""
    limit = len(found.selected) if everything else SHOWN
    known = len(found.selected) + len(found.skipped)
    share = f"{len(found.selected) / known:.0%}" if known else "0 %"
    header = Text.assemble((printable(found.repository), "bold"), "  ", (printable(found.asked), "command"))
    parts: list[RenderableType] = [
        header,
        Text(_standing(found), style="quiet"),
        Text(""),
        Text.assemble(
            ("Run  ", "heading"),
            (f"{plural(len(found.selected), 'test')} of {known:,}", "count"),
            (f"  {share}{_duration(found)}", "quiet"),
        ),
    ]
    for test in found.selected[:limit]:
        parts.append(Padding(_line(test), (0, 0, 0, 2)))
    if len(found.selected) > limit:
        parts.append(Text(f"  and {len(found.selected) - limit:,} more (--all shows them)", style="quiet"))
    if not found.selected:
        parts.append(Text("  No known test can come out otherwise.", style="good"))
    if found.widened:
        parts += [Text(""), Text.assemble(("Widened  ", "heading"), (_count(found.widened), "quiet"))]
        shown = found.widened if everything else found.widened[:5]
        parts += [Text(f"  {printable(each)}", style="note") for each in shown]
        if len(found.widened) > len(shown):
            parts.append(Text(f"  and {len(found.widened) - len(shown)} more", style="quiet"))
    parts += [Text(f"Note: {printable(note)}", style="note") for note in found.notes]
    console.print(Group(*parts))


def _standing(found: Tests) -> str:
    """What the answer stands on, in a line."""
    if found.basis == "static":
        return f"by the graph alone · {found.seconds:.2f} s"
    told = []
    for state in found.recordings[:3]:
        commit = state.commit[:10] or "no commit"
        told.append(f"recorded at {commit}{' with edits' if state.dirty else ''}, {state.distance}")
    if len(found.recordings) > 3:
        told.append(f"and {len(found.recordings) - 3} more recordings")
    return " · ".join((*told, f"{found.seconds:.2f} s"))


def _duration(found: Tests) -> str:
    seconds = sum(test.seconds for test in found.selected)
    return f", {seconds:,.1f} s of tests" if seconds else ""


def _count(items: tuple[str, ...]) -> str:
    return plural(len(items), "step")


def _line(test: SelectedTest) -> Text:
    why = " → ".join(test.reasons[0]) if test.reasons else ""
    if why.endswith(f" → {test.test}"):
        why = why.removesuffix(f" → {test.test}")
    text = Text.assemble((printable(test.test), "test"), "  ", (printable(why), "quiet"))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def explain(console: Console, found: Tests, asked: str) -> None:
    """Why one test is selected, or is not.

    Raises
    ------
    NotFoundError
        No known test is called so.
    """
    chosen = [test for test in found.selected if _means(asked, test.test)]
    skipped = [test for test in found.skipped if _means(asked, test)]
    if not chosen and not skipped:
        known = [test.test for test in found.selected] + list(found.skipped)
        near = difflib.get_close_matches(asked, known, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "Write it as the runner does: PATH::NAME."
        raise NotFoundError(f"No test called {asked!r} is known.", hint)
    for test in chosen:
        console.print(Text.assemble(("run   ", "good"), (printable(test.test), "test")))
        for steps in test.reasons:
            for number, step in enumerate(steps):
                console.print(Text(f"      {'→ ' if number else ''}{printable(step)}"), soft_wrap=True)
    for name in skipped:
        console.print(Text.assemble(("skip  ", "quiet"), (printable(name), "test")))
        console.print(Text(f"      {_untouched(found)}", style="quiet"), soft_wrap=True)


def _untouched(found: Tests) -> str:
    if found.basis == "static":
        return "No path of the graph leads from what changed to it."
    differing = sum(len(state.differing) for state in found.recordings)
    return (
        f"{plural(differing, 'file')} differ since it was recorded; it executed no changed "
        "statement, read no value that can differ, and opened no changed file."
    )


def _means(asked: str, test: str) -> bool:
    """Whether a person's words mean a test: its whole id, or all of its parameters."""
    return test in (asked, asked.removeprefix("./")) or test.partition("[")[0] == asked.removeprefix("./")


def list_tests(found: Tests, form: str) -> str:
    """The selected tests as a list for programs: a line each, or JUnit's XML.

    Raises
    ------
    InputError
        A test's id cannot stand in such a list.
    """
    if form == "pytest-args":
        for test in found.selected:
            if "\n" in test.test:
                raise InputError(f"{test.test!r} cannot stand on a line.", "Use --json.")
        return "".join(f"{test.test}\n" for test in found.selected)
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines.append(f'<testsuite name="maestro" tests="{len(found.selected)}">')
    for test in found.selected:
        path, _, below = test.test.partition("::")
        holder, _, name = below.rpartition("::") if "[" not in below else _before_bracket(below)
        dotted = ".".join(
            filter(None, (path.removesuffix(".py").replace("/", "."), holder.replace("::", ".")))
        )
        attributes = f"file={quoteattr(path)} classname={quoteattr(dotted)} name={quoteattr(name)}"
        lines.append(f'  <testcase {attributes} time="{test.seconds:.3f}"/>')
    return "\n".join((*lines, "</testsuite>", ""))


def _before_bracket(below: str) -> tuple[str, str, str]:
    """Class and name of a parametrized test: what stands in the brackets may hold colons."""
    bare, _, parameters = below.partition("[")
    holder, sign, name = bare.rpartition("::")
    return holder, sign, f"{name}[{parameters}"


def print_backtest(console: Console, found: Backtest) -> None:
    """Each step of the past in a line, then what was saved and missed."""
    if not found.steps:
        console.print(
            Text(
                f"None of the last {found.commits} commits comes after a recording: nothing to replay.",
                style="note",
            )
        )
        return
    for step in found.steps[:SHOWN]:
        told = f"{step.selected:,} of {step.known:,} tests, by {step.base[:10]}"
        if step.judged:
            told += f"; {len(step.turned)} of {step.judged:,} outcomes turned"
        line = Text.assemble((step.commit[:10], "command"), "  ", (told, "quiet"))
        console.print(line if not step.missed else line.append(f", {len(step.missed)} MISSED", style="bad"))
        for test in step.missed:
            console.print(Text(f"  missed {printable(test)}", style="bad"))
    if len(found.steps) > SHOWN:
        console.print(Text(f"and {len(found.steps) - SHOWN:,} more commits (--json has them)", style="quiet"))
    every = sum(step.known for step in found.steps)
    ran = sum(step.selected for step in found.steps)
    turned = sum(len(step.turned) for step in found.steps)
    missed = sum(len(step.missed) for step in found.steps)
    judged = sum(1 for step in found.steps if step.judged)
    console.print()
    console.print(
        Text.assemble(
            ("Would have run  ", "heading"),
            f"{ran / max(1, every):.0%} of all tests over {len(found.steps):,} commits",
        )
    )
    if judged:
        verdict = (
            f"{missed:,} of {turned:,} turned outcomes, told by recordings of {plural(judged, 'commit')}"
        )
    else:
        verdict = "not known: no commit after a recording was recorded itself"
    console.print(Text.assemble(("Would have missed  ", "heading"), (verdict, "bad" if missed else "")))
    orders = [step.orders for step in found.steps if step.orders is not None]
    if orders:
        told = ", ".join(
            f"{sum(each) / len(orders):.2f} {name}"
            for name, each in (
                ("in the budget's order", [one.expected for one in orders]),
                ("the quickest first", [one.quickest for one in orders]),
                ("at random", [one.chance for one in orders]),
            )
        )
        console.print(
            Text.assemble(
                ("Shows a fault soon  ", "heading"), f"APFD {told}, over {plural(len(orders), 'fault')}"
            )
        )
        lost = sum(one.missed for one in orders)
        console.print(
            Text.assemble(
                ("Minimal would have missed  ", "heading"),
                (f"{lost:,} of {plural(len(orders), 'fault')}", "bad" if lost else ""),
            )
        )
