"""A cone as a picture: Mermaid for Markdown, DOT for Graphviz. Both draw the proofs, merged."""

from __future__ import annotations

from collections.abc import Iterator

from api.documents import Impact, Step, Symbol

LIMIT = 400
"""Edges drawn at most; beyond it a picture says less than a list. What is left out is said."""

_STYLES = {"exact": "solid", "typed": "solid", "hierarchy": "dashed", "name": "dotted", "ambiguous": "dotted"}


def draw_dot(impact: Impact) -> str:
    """The cone in the DOT language of Graphviz."""
    steps, left = _steps(impact)
    changed = {node_key(entry.symbol) for entry in impact.changed}
    lines = [
        "digraph impact {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded", fontname="sans-serif"];',
    ]
    names = _names(impact, steps)
    for key, (identity, symbol) in names.items():
        shape = ", peripheries=2" if key in changed else ", shape=ellipse" if symbol.kind == "Test" else ""
        lines.append(f"  {identity} [label={_dot(_label(symbol))}{shape}];")
    for step in steps:
        ends = f"{names[node_key(step.source)][0]} -> {names[node_key(step.target)][0]}"
        lines.append(f"  {ends} [label={_dot(_edge(step))}, style={_STYLES.get(step.tier, 'solid')}];")
    if left:
        lines.append(f"  label={_dot(_left(left))};")
    return "\n".join([*lines, "}"])


def draw_mermaid(impact: Impact) -> str:
    """The cone as a Mermaid flowchart, which GitHub and GitLab draw in Markdown."""
    steps, left = _steps(impact)
    changed = {node_key(entry.symbol) for entry in impact.changed}
    lines = ["flowchart LR"]
    names = _names(impact, steps)
    for identity, symbol in names.values():
        opening, closing = ("([", "])") if symbol.kind == "Test" else ("[", "]")
        lines.append(f"  {identity}{opening}{_mermaid(_label(symbol))}{closing}")
    for step in steps:
        arrow = "-->" if step.tier in ("exact", "typed") else "-.->"
        ends = names[node_key(step.source)][0], names[node_key(step.target)][0]
        lines.append(f"  {ends[0]} {arrow}|{_mermaid(_edge(step))}| {ends[1]}")
    lines.append("  classDef changed stroke-width:3px")
    if changed & names.keys():
        lines.append(f"  class {','.join(names[key][0] for key in names if key in changed)} changed")
    if left:
        lines.append(f"  %% {_left(left)}")
    return "\n".join(lines)


def node_key(symbol: Symbol) -> str:
    """A test and the function that it runs share a key, and are two things."""
    return f"{symbol.kind} {symbol.key}"


def _steps(impact: Impact) -> tuple[list[Step], int]:
    """Every edge of every proof once, nearest first, and how many were left out."""
    found: dict[tuple[str, str, str], Step] = {}
    for entry in sorted((*impact.reached, *impact.tests), key=lambda entry: entry.distance):
        for step in entry.proof:
            found.setdefault((node_key(step.source), node_key(step.target), step.edge), step)
    steps = list(found.values())
    return steps[:LIMIT], max(0, len(steps) - LIMIT)


def _names(impact: Impact, steps: list[Step]) -> dict[str, tuple[str, Symbol]]:
    symbols: dict[str, Symbol] = {}
    for symbol in _symbols(impact, steps):
        symbols.setdefault(node_key(symbol), symbol)
    return {key: (f"n{number}", symbol) for number, (key, symbol) in enumerate(symbols.items())}


def _symbols(impact: Impact, steps: list[Step]) -> Iterator[Symbol]:
    for entry in impact.changed[:LIMIT]:
        yield entry.symbol
    for step in steps:
        yield step.source
        yield step.target


def _label(symbol: Symbol) -> str:
    place = f"{symbol.path}:{symbol.line}" if symbol.line > 0 else symbol.path
    return f"{symbol.name}\n{place}" if place else symbol.name


def _edge(step: Step) -> str:
    return f"{step.edge}, {step.tier}"


def _left(count: int) -> str:
    return f"{count} more edges were left out"


def _dot(text: str) -> str:
    """A quoted string: backslashes and quotes escaped, line ends as \\n, nothing else below a space."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c >= " " else "?" for c in escaped) + '"'


def _mermaid(text: str) -> str:
    """A quoted label: what Mermaid or HTML would read as a sign becomes an entity."""
    plain = set(" ._/:,-")
    shown = "".join(
        c if (c.isascii() and c.isalnum()) or c in plain else "<br/>" if c == "\n" else f"#{ord(c)};"
        for c in text
    )
    return f'"{shown}"'
