"""Answers as people read them on a terminal: the cone of a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.documents import UNSUPPORTED, Changed, Impact, Reached, Step, Symbol
from graph.queries.words import DEPENDED_WORDS, DEPENDENT_WORDS
from graph.schema import TIERS, EdgeKind

SHOWN = 5
"""Rows shown of each part before the rest is counted; `--all` shows everything."""
RINGS = (5, 3, 2, 1)
"""Rows shown at one step, at two, ...; what is farther away is counted only."""
ANSWER = 100
"""Columns beyond which an answer does not grow: long lines are hard to follow."""


def plural(count: int, noun: str) -> str:
    """`1 symbol`, `2 symbols`, `1,200 classes`."""
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "ch")) else "s"
    if count != 1 and noun.endswith("y") and noun[-2] not in "aeiou":
        noun, ending = noun[:-1], "ies"
    return f"{count:,} {noun}{ending}"


def printable(text: str) -> str:
    """Text that cannot drive a terminal: control characters and lone surrogates are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def title(symbol: Symbol) -> str:
    """What a symbol is called: a module by its file, all else by its qualified name."""
    return printable(symbol.path if symbol.name == "<module>" and symbol.path else symbol.name)


def place(symbol: Symbol) -> str:
    """`path:line`, or the path alone for what stands on no line."""
    return printable(f"{symbol.path}:{symbol.line}" if symbol.line > 0 else symbol.path)


def print_impact(console: Console, impact: Impact, everything: bool = False) -> None:
    """Print a cone: changed, reached by distance with proofs, tests, owners, and what is not sure."""
    limit = 1_000_000 if everything else SHOWN
    parts: list[RenderableType] = [_header(impact), _changed(impact, limit)]
    if not impact.changed and impact.owners:
        parts.append(Text.assemble(("Owners  ", "heading"), _owners(impact, limit)))
    if impact.changed:
        parts += [_reached(impact, limit), _tests(impact, limit), _around(impact, limit)]
    parts += [Text(f"Note: {printable(note)}", style="note") for note in impact.notes]
    shown: list[RenderableType] = []
    for part in parts:
        shown += [part, Text("")]
    width = min(console.width, ANSWER) if not everything else console.width
    console.print(Group(*shown[:-1]), width=width)


def _header(impact: Impact) -> RenderableType:
    first = Text.assemble((printable(impact.repository), "bold"), "  ", (printable(impact.asked), "command"))
    ends = zip(("base", "head"), (impact.base, impact.head), impact.derived, strict=True)
    sides = [_side(name, commit, how) for name, commit, how in ends if commit or how]
    indexed = f"indexed {impact.indexed[:10]}, run {impact.run}" if impact.indexed else ""
    then = f"as of {impact.at}" if impact.at else ""
    time = f"{impact.seconds:.2f} s" if impact.seconds else ""
    second = Text(" · ".join(filter(None, (*sides, then, indexed, time))), style="quiet")
    return Group(first, second)


def _side(name: str, commit: str, how: str) -> str:
    """`base 5dc781f5dc (resolved)`; a side without a commit: before the first one, or a diff's result."""
    if not commit:
        return f"{name} nothing" if name == "base" else f"{name} the diff's result ({how})"
    return f"{name} {commit[:10]} ({how})" if how else f"{name} {commit[:10]}"


def _heading(text: str, count: str = "") -> Text:
    return Text.assemble((text, "heading"), "  ", (count, "quiet"))


def _changed(impact: Impact, limit: int) -> RenderableType:
    if not impact.changed:
        return _nothing(impact, limit)
    files = len({entry.symbol.path for entry in impact.changed})
    counts = f"{plural(len(impact.changed), 'symbol')} in {plural(files, 'file')}"
    grid = _grid(2)
    for entry in impact.changed[:limit]:
        grid.add_row(_named(entry.symbol, _mark(entry)), Text(", ".join(entry.reasons), style="note"))
    return Group(
        _heading("Starts from" if _asked_symbol(impact) else "Changed", counts),
        Padding(grid, (0, 0, 0, 2)),
        *_more(len(impact.changed) - limit, "changed symbol"),
        *_silent(impact),
    )


def _asked_symbol(impact: Impact) -> bool:
    return not impact.base and not impact.head


def _mark(entry: Changed) -> Text:
    return {"base": Text("- ", style="bad"), "head": Text("+ ", style="good")}.get(
        entry.side, Text("~ ", style="note")
    )


def _nothing(impact: Impact, limit: int) -> RenderableType:
    """A change from which nothing starts: that is sure only where every file of it was read."""
    unread = [file for file in impact.silent if file.reason == UNSUPPORTED]
    first = Text("Nothing that runs differs.", style="good")
    last = Text("No test needs to run for this change.", style="quiet")
    if unread:
        first = Text("Nothing differs in what Maestro reads.", style="note")
        last = Text(
            f"What {plural(len(unread), 'file')} without a reader did was not followed.", style="quiet"
        )
    lines: list[RenderableType] = [first]
    if impact.silent:
        grid = _grid(2)
        for file in impact.silent[:limit]:
            grid.add_row(Text(printable(file.path)), Text(file.reason, style="quiet"))
        lines += [Padding(grid, (0, 0, 0, 2)), *_more(len(impact.silent) - limit, "file")]
    return Group(*lines, last)


def _silent(impact: Impact) -> Iterator[Text]:
    if impact.silent:
        reasons = Counter(file.reason for file in impact.silent)
        shown = "; ".join(f"{plural(count, 'file')}: {reason}" for reason, count in reasons.most_common())
        yield Text(f"  Nothing starts from {shown}.", style="quiet")


def _reached(impact: Impact, limit: int) -> RenderableType:
    word = "Reaches" if impact.direction == "up" else "Depends on"
    if not impact.reached and not impact.tests:
        return _heading(word, "nothing else")
    files = len({entry.symbol.path for entry in impact.reached if entry.symbol.path})
    found = [f"{plural(len(impact.reached), 'symbol')} in {plural(files, 'file')}"] if impact.reached else []
    counts = ", ".join(found + ([plural(len(impact.tests), "test")] if impact.tests else []))
    parts: list[RenderableType] = [_heading(word, counts), Padding(_distances(impact), (0, 0, 0, 2))]
    ordered = sorted(impact.reached, key=lambda entry: entry.distance)
    rings = [(distance, list(entries)) for distance, entries in groupby(ordered, key=lambda e: e.distance)]
    shown = rings if limit > SHOWN else rings[: len(RINGS)]
    for (distance, entries), size in zip(shown, (*RINGS, *[limit] * len(shown)), strict=False):
        parts += _ring(distance, entries, size if limit == SHOWN else limit, impact.direction)
    rest = sum(len(entries) for _, entries in rings[len(shown) :])
    return Group(*parts, *([Text("")] if rest else []), *_more(rest, "symbol", "farther away "))


def _distances(impact: Impact) -> Table:
    """Counts by distance and tier, with a bar."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="quiet", pad_edge=False)
    tiers = [tier.value for tier in TIERS if any(e.tier == tier for e in (*impact.reached, *impact.tests))]
    for name in ("steps", "symbols", "tests", *tiers):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("")
    rows: dict[int, Counter[str]] = {}
    for what, entries in (("symbols", impact.reached), ("tests", impact.tests)):
        for entry in entries:
            rows.setdefault(entry.distance, Counter()).update((what, entry.tier))
    largest = max(row["symbols"] + row["tests"] for row in rows.values())
    for distance, row in sorted(rows.items()):
        cells = [Text(f"{row[name]:,}" if row[name] else "·", style=style) for name, style in _styled(tiers)]
        size = max(1, round(20 * (row["symbols"] + row["tests"]) / largest))
        table.add_row(Text(str(distance), style="count"), *cells, Bar(size))
    return table


class Bar:
    """A line of some columns that gives way where a terminal is narrow."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(0, 20)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= 20:
            yield Text("━" * self._size, style="quiet")


def _styled(tiers: Sequence[str]) -> list[tuple[str, str]]:
    return [("symbols", ""), ("tests", "test"), *((tier, tier) for tier in tiers)]


def _ring(distance: int, entries: list[Reached], limit: int, direction: str) -> list[RenderableType]:
    rank = {tier.value: number for number, tier in enumerate(TIERS)}
    entries.sort(key=lambda entry: (rank.get(entry.tier, 9), entry.symbol.path, entry.symbol.line))
    parts: list[RenderableType] = [Text(""), Text(plural(distance, "step"), style="heading")]
    for entry in _spread(entries, limit):
        parts.append(Padding(_named(entry.symbol), (0, 0, 0, 2)))
        parts.append(Padding(_proof(entry, direction, limit), (0, 0, 0, 4)))
    return [*parts, *_more(len(entries) - limit, "symbol")]


def _spread(entries: list[Reached], limit: int) -> list[Reached]:
    """The first of each file, then the rest: a screen says more about many files than about one."""
    if len(entries) <= limit:
        return entries
    seen: set[str] = set()
    first: list[Reached] = []
    rest: list[Reached] = []
    for entry in entries:
        (rest if entry.symbol.path in seen else first).append(entry)
        seen.add(entry.symbol.path)
    return [*first, *rest][:limit]


def _named(symbol: Symbol, mark: Text | None = None) -> Text:
    style = "test" if symbol.kind == "Test" else ""
    return Text.assemble(mark or "", (title(symbol), style), "  ", (place(symbol), "place"))


def _proof(entry: Reached, direction: str, limit: int) -> Text:
    """`exact  Signature.apply → called by Task.retry:642 → ...`; a long one loses its middle."""
    steps = list(entry.proof)
    left = 0
    if limit <= SHOWN and len(steps) > 4:
        left = len(steps) - 3
        steps = [steps[0], *steps[-2:]]
    text = Text.assemble((f"{entry.tier}", entry.tier), "  ")
    for number, step in enumerate(steps):
        if number == 0:
            text.append(title(step.source))
        if left and number == 1:
            text.append(f" → {plural(left, 'step')} more", style="quiet")
        text.append_text(_step(step, direction, last=number == len(steps) - 1))
    return text


def _step(step: Step, direction: str, last: bool) -> Text:
    words = DEPENDENT_WORDS if direction == "up" else DEPENDED_WORDS
    verb = words.get(EdgeKind(step.edge), step.edge) if step.edge in set(EdgeKind) else step.edge
    if step.edge == EdgeKind.REFERENCES and step.role == "target":
        verb = "writes" if direction == "up" else "written by"
    form = f" ({step.form})" if step.form and step.form != "plain" else ""
    line = f":{step.line}" if step.line > 0 else ""
    what = "it" if last else title(step.target)
    side = {"base": " [before]", "head": " [now]"}.get(step.side, "")
    return Text.assemble((f" → {verb}{form} ", "quiet"), what, (line + side, "place"))


def _tests(impact: Impact, limit: int) -> RenderableType:
    if not impact.tests:
        return _heading("Tests", "none is reached")
    files = len({entry.symbol.path for entry in impact.tests})
    grid = _grid(2)
    nearest = sorted(impact.tests, key=lambda entry: (entry.distance, entry.symbol.key))
    for entry in sorted(_spread(nearest, limit), key=lambda entry: entry.distance):
        name = f"{entry.symbol.path}::{entry.symbol.name}" if entry.symbol.path else entry.symbol.name
        steps = Text.assemble((plural(entry.distance, "step"), "quiet"), " ", (entry.tier, entry.tier))
        grid.add_row(Text(printable(name), style="test"), steps)
    counts = f"{plural(len(impact.tests), 'test')} in {plural(files, 'file')}, nearest first"
    return Group(_heading("Tests", counts), Padding(grid, (0, 0, 0, 2)), *_more(len(nearest) - limit, "test"))


def _around(impact: Impact, limit: int) -> RenderableType:
    """Owners, edges by tier, and what the cone does not tell."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="heading", no_wrap=True)
    grid.add_column()
    if impact.owners:
        grid.add_row("Owners", _owners(impact, limit))
    grid.add_row(
        "Edges", _joined((f"{count:,} {tier}", tier) for tier, count in impact.edges.items() if count)
    )
    if any(impact.possible.values()):
        counts = _joined((f"{count:,} {tier}", tier) for tier, count in impact.possible.items() if count)
        grid.add_row(
            "Possible", Text.assemble(counts, ("  more by weaker tiers (--tier shows them)", "quiet"))
        )
    followed = f"{plural(impact.unfollowed, 'reference')} in these symbols could not be followed"
    grid.add_row("Unknown", Text(followed, style="note" if impact.unfollowed else "quiet"))
    if impact.hubs:
        cut = sum(hub.dependents for hub in impact.hubs)
        names = ", ".join(title(hub.symbol) for hub in impact.hubs[:limit])
        hubs = f"{plural(len(impact.hubs), 'hub')} not followed, {plural(cut, 'edge')}: {names}"
        grid.add_row("Cut", Text(hubs, style="note"))
    return grid


def _owners(impact: Impact, limit: int) -> Text:
    text = _joined(
        (f"{printable(owner.owner)} ({owner.changed} changed, {owner.reached} reached)", "")
        for owner in impact.owners[:limit]
    )
    if len(impact.owners) > limit:
        text.append(f", {len(impact.owners) - limit} more", style="quiet")
    return text


def _joined(parts: Iterable[tuple[str, str]]) -> Text:
    text = Text(", ").join(Text(shown, style=style) for shown, style in parts)
    return text if text.plain else Text("none", style="quiet")


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns):
        grid.add_column(overflow="fold")
    return grid


def _more(count: int, noun: str, where: str = "") -> list[RenderableType]:
    if count <= 0:
        return []
    return [Text(f"  and {plural(count, f'more {noun}')} {where}(--all)", style="quiet")]
