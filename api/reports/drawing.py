"""A cone as SVG: a column a distance, an arrow a step of a proof, the nearest first."""

from __future__ import annotations

from html import escape

from api.documents import Impact, Step, Symbol
from api.pictures import node_key
from api.rendering import place, printable, title

COLUMNS = 5
ROWS = 9
"""What is drawn at most; the lists have the rest."""
_WIDTH, _HEIGHT, _GAP, _LINE = 190, 34, 50, 44
_LETTERS = 28
_SURE = ("exact", "typed")


def draw_svg(impact: Impact) -> str:
    """The picture; empty where nothing is reached."""
    symbols, steps = _layout(impact)
    if len(symbols) < 2 or not steps:
        return ""
    columns: dict[int, list[str]] = {}
    for key, (_, distance) in symbols.items():
        columns.setdefault(distance, []).append(key)
    places = {
        key: (10 + distance * (_WIDTH + _GAP), 10 + row * _LINE)
        for distance, keys in columns.items()
        for row, key in enumerate(keys)
    }
    changed = {node_key(entry.symbol) for entry in impact.changed}
    shapes = [_arrow(step, places) for step in steps]
    shapes += [_box(symbol, places[key], key in changed) for key, (symbol, _) in symbols.items()]
    width = 20 + (max(columns) + 1) * (_WIDTH + _GAP) - _GAP
    height = 20 + max(map(len, columns.values())) * _LINE
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="What the change reaches">'
        + "".join(shapes)
        + "</svg>"
    )


def _layout(impact: Impact) -> tuple[dict[str, tuple[Symbol, int]], list[Step]]:
    """Symbols with their columns, as many as fit, and the steps between them."""
    symbols: dict[str, tuple[Symbol, int]] = {}
    counts = [0] * COLUMNS
    steps: dict[tuple[str, str], Step] = {}

    def take(symbol: Symbol, distance: int) -> bool:
        if node_key(symbol) in symbols:
            return True
        if distance >= COLUMNS or counts[distance] >= ROWS:
            return False
        counts[distance] += 1
        symbols[node_key(symbol)] = symbol, distance
        return True

    for entry in sorted((*impact.reached, *impact.tests), key=lambda entry: entry.distance):
        if not entry.proof or not take(entry.proof[0].source, 0):
            continue
        for distance, step in enumerate(entry.proof, 1):
            if not take(step.target, distance):
                break
            steps.setdefault((node_key(step.source), node_key(step.target)), step)
    return symbols, list(steps.values())


def _arrow(step: Step, places: dict[str, tuple[int, int]]) -> str:
    (x, y), (u, v) = places[node_key(step.source)], places[node_key(step.target)]
    start, end, half = x + _WIDTH, u, _HEIGHT // 2
    bend = (start + end) // 2
    weak = "" if step.tier in _SURE else ' class="weak"'
    about = _text(f"{step.edge}, {step.tier}")
    line = f"M{start} {y + half}C{bend} {y + half} {bend} {v + half} {end} {v + half}"
    return f'<path d="{line}"{weak}><title>{about}</title></path>'


def _box(symbol: Symbol, at: tuple[int, int], changed: bool) -> str:
    x, y = at
    sort = ' class="changed"' if changed else ' class="test"' if symbol.kind == "Test" else ""
    name, where = title(symbol), place(symbol)
    return (
        f"<g><title>{_text(f'{name} {where}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"{sort}/>'
        f'<text x="{x + 8}" y="{y + 14}">{_text(_short(name))}</text>'
        f'<text x="{x + 8}" y="{y + 27}" opacity=".6">{_text(_short(where))}</text></g>'
    )


def _short(words: str) -> str:
    return words if len(words) <= _LETTERS else f"…{words[1 - _LETTERS :]}"


def _text(words: str) -> str:
    return escape(printable(words), quote=True)
