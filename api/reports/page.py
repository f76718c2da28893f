"""A report as one HTML file that needs nothing else: no script, no address, nothing loaded.

Every text from the repository is escaped, and the page's own policy forbids whatever could load or
run (Content Security Policy Level 3), so that a hostile name stays a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from api.documents import Impact, Reached, Step
from api.rendering import place, plural, printable, title
from api.reports.drawing import draw_svg
from api.reports.findings import Findings
from api.review_documents import Advice, Reviewers

MOST = 2_000
"""Rows of one list; what is left out is counted."""

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--quiet:#888;--mark:#2a7;--note:#b80}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .8rem .25rem 0;
border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--quiet);font-weight:normal}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}.quiet,summary{color:var(--quiet)}
.note{color:var(--note)}ul{padding-left:1.2rem}.numbers b{font-size:1.3rem}.numbers span{margin-right:2rem}
svg{width:100%;height:auto;border:1px solid var(--line);border-radius:6px;margin:1rem 0}
svg text{font:11px ui-monospace,monospace;fill:currentColor}svg rect{fill:#8881;stroke:var(--quiet)}
svg rect.changed{stroke:var(--note);stroke-width:2}svg rect.test{stroke:var(--mark)}
svg path{fill:none;stroke:var(--quiet)}svg path.weak{stroke-dasharray:4 3}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def text(value: str) -> str:
    """Text that no part of HTML takes for its own, control characters shown as escapes."""
    return escape(printable(value), quote=True)


def write_page(findings: Findings) -> str:
    """The whole report."""
    impact = findings.impact
    name = f"{text(impact.repository)} {text(impact.asked)}"
    sections = [
        _numbers(findings),
        draw_svg(impact),
        _changed(impact),
        _tests(findings),
        *(_reviewers(findings.reviewers) if findings.reviewers else ()),
        _owners(impact),
        _reached(impact),
        *(f'<p class="note">{text(note)}</p>' for note in findings.notes),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>Maestro: {name}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f'<h1>{name}</h1>\n<p class="quiet">{text(findings.sides)}, indexed at '
        f"{text(impact.indexed[:10])} (run {impact.run})</p>\n"
        + "\n".join(filter(None, sections))
        + "\n</body></html>\n"
    )


def _numbers(findings: Findings) -> str:
    impact, tests = findings.impact, findings.tests
    numbers = [
        (len(impact.changed), "changed symbols"),
        (len(impact.reached), "reached symbols"),
        (len(tests.selected), "tests to run"),
    ]
    cells = "".join(f"<span><b>{count:,}</b> {words}</span>" for count, words in numbers)
    return f'<p class="numbers">{cells}</p>'


def _table(heading: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], total: int) -> str:
    """A section; cells are HTML already."""
    if not total:
        return ""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    left = f'<p class="quiet">{total - MOST:,} more</p>' if total > MOST else ""
    return f"<h2>{heading}</h2>\n<table><tr>{head}</tr>\n{body}</table>{left}"


def _code(value: str) -> str:
    return f"<code>{text(value)}</code>"


def _changed(impact: Impact) -> str:
    if not impact.changed:
        return "<p>Nothing that Maestro reads runs differently.</p>"
    rows = (
        (_code(title(each.symbol)), _code(place(each.symbol)), text(", ".join(each.reasons)))
        for each in impact.changed[:MOST]
    )
    return _table("Changed", ("symbol", "where", "what"), rows, len(impact.changed))


def _proof(steps: tuple[Step, ...]) -> str:
    if not steps:
        return ""
    names = [_code(title(steps[0].source))]
    names += [f"{text(step.edge)} {_code(title(step.target))}" for step in steps]
    return f"<details><summary>proof</summary>{' → '.join(names)}</details>"


def _reached(impact: Impact) -> str:
    entries: list[Reached] = sorted(impact.reached, key=lambda entry: entry.distance)
    rows = (
        (
            _code(title(each.symbol)) + _proof(each.proof),
            _code(place(each.symbol)),
            str(each.distance),
            text(each.tier),
        )
        for each in entries[:MOST]
    )
    return _table("Reaches", ("symbol", "where", "steps", "sure"), rows, len(entries))


def _tests(findings: Findings) -> str:
    tests = findings.tests
    if not tests.selected:
        return "<h2>Tests</h2><p>No known test can come out otherwise.</p>"
    how = "by the graph alone" if tests.basis == "static" else "by recordings"
    known = len(tests.selected) + len(tests.skipped)
    rows = (
        (_code(each.test), "<br>".join(text(" → ".join(steps)) for steps in each.reasons[:3]))
        for each in tests.selected[:MOST]
    )
    heading = f"Run {len(tests.selected):,} of {plural(known, 'test')}, {how}"
    return _table(heading, ("test", "why"), rows, len(tests.selected))


def _reviewers(found: Reviewers) -> list[str]:
    advice = ((text(each.person.name), f"{each.score:.0%}", _reasons(each)) for each in found.reviewers)
    rules = (
        (
            " ".join(map(_code, each.owners)),
            " ".join(map(_code, each.files[:5])) + (" …" if len(each.files) > 5 else ""),
            _code(f"{each.file}:{each.line}"),
        )
        for each in found.obligations
    )
    risks = (
        (_code(each.path), ", ".join(text(who.name) for who in each.known_to) or "nobody")
        for each in found.at_risk[:MOST]
    )
    return [
        _table("Ask for a review", ("who", "", "why"), advice, len(found.reviewers)),
        _table("Must approve, by the rules", ("one of", "for", "rule"), rules, len(found.obligations)),
        _table("Known to one person alone", ("file", "who"), risks, len(found.at_risk)),
    ]


def _reasons(each: Advice) -> str:
    items = (f"<li>{text(reason.sentence)} {_code(reason.newest[:10])}</li>" for reason in each.reasons)
    return f"<ul>{''.join(items)}</ul>"


def _owners(impact: Impact) -> str:
    rows = ((_code(each.owner), f"{each.changed:,}", f"{each.reached:,}") for each in impact.owners[:MOST])
    return _table("Owners", ("owner", "changed files", "reached files"), rows, len(impact.owners))
