"""Lines over logarithmic axes as a small SVG, for the documents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 360, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 58
_COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#525252")
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def panel(title: str, across: str, lines: Mapping[str, Points], place: int) -> str:
    """One plot; `lines` are points (x, y) by name, both above 0. `place` counts panels from the left."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    low_x, high_x = _bounds(xs)
    low_y, high_y = _bounds(ys)

    def at(x: float, y: float) -> tuple[float, float]:
        right = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (math.log10(x) - low_x) / (high_x - low_x)
        up = (_HEIGHT - _TOP - _BOTTOM) * (math.log10(y) - low_y) / (high_y - low_y)
        return right, _HEIGHT - _BOTTOM - up

    parts = [f'<g transform="translate({place * _WIDTH} 0)">']
    parts.append(f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>')
    for power in range(low_y, high_y + 1):
        _, y = at(10.0**low_x, 10.0**power)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(10.0**power)}</text>')
    for power in range(low_x, high_x + 1):
        x, _ = at(10.0**power, 10.0**low_y)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">')
        parts.append(f"{_number(10.0**power)}</text>")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 31}" text-anchor="middle">{escape(across)}</text>'
    )
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in drawn]
        left = _LEFT + number * (_WIDTH - _LEFT - _RIGHT) / len(lines)
        parts.append(f'<rect x="{left:.1f}" y="{_HEIGHT - 17}" width="9" height="9" fill="{colour}"/>')
        parts.append(f'<text x="{left + 13:.1f}" y="{_HEIGHT - 9}">{escape(name)}</text>')
    parts.append("</g>")
    return "\n".join(parts)


def drawing(panels: Sequence[tuple[str, str, Mapping[str, Points]]]) -> str:
    """Plots side by side: (title, what goes across, lines) each."""
    width = _WIDTH * len(panels)
    inner = "\n".join(panel(*given, place) for place, given in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#262626">\n'
        "<style>.grid{stroke:#d4d4d4;stroke-width:.7}</style>\n"
        f'<rect width="{width}" height="{_HEIGHT}" fill="#ffffff"/>\n{inner}\n</svg>\n'
    )


def _bounds(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _number(value: float) -> str:
    for unit, name in _UNITS:
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
