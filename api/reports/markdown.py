"""A report as Markdown for a pull request, with a small picture in Mermaid.

Every name from the repository stands in a code span: there neither Markdown nor HTML means
anything (CommonMark 0.31, 6.1), and a forge notifies nobody whom it mentions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from api.documents import Impact, Reached
from api.pictures import draw_mermaid
from api.rendering import place, plural, printable, title
from api.reports.findings import LISTED, Findings
from api.review_documents import Advice, Reviewers

PICTURED = 8
"""Symbols, and tests, in the picture."""
REASONS = 3


def code(text: str) -> str:
    """Text as a code span that also stands in a table's cell: whatever it holds, it is shown as it is."""
    plain = printable(text)[:300] or " "
    longest = max(map(len, re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {plain} " if plain.startswith("`") or plain.endswith("`") else plain
    # A table takes a bar for the end of its cell even within code; a backslash before it says no.
    return f"{fence}{padded}{fence}".replace("|", "\\|")


def write_markdown(findings: Findings) -> str:
    """The whole report."""
    impact = findings.impact
    parts = [
        f"## Maestro: what {code(impact.asked)} reaches",
        f"{code(impact.repository)}, {findings.sides}: {_counts(findings)}",
        *_changed(impact),
        *_picture(impact),
        *_reached(impact),
        *_tests(findings),
        *(_reviewers(findings.reviewers) if findings.reviewers else ()),
        *_owners(impact),
        *(f"> {code(note)}" for note in findings.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _counts(findings: Findings) -> str:
    impact = findings.impact
    return (
        f"**{plural(len(impact.changed), 'changed symbol')}**, "
        f"**{plural(len(impact.reached), 'reached symbol')}**, "
        f"**{plural(len(findings.tests.selected), 'test')} to run**."
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], left: int = 0) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{text}\n\n{left:,} more." if left > 0 else text


def _changed(impact: Impact) -> list[str]:
    if not impact.changed:
        return ["Nothing that Maestro reads runs differently."]
    rows = [
        (code(title(each.symbol)), code(place(each.symbol)), code(", ".join(each.reasons)))
        for each in impact.changed[:LISTED]
    ]
    return ["### Changed", _table(("symbol", "where", "what"), rows, len(impact.changed) - LISTED)]


def _picture(impact: Impact) -> list[str]:
    if not impact.reached and not impact.tests:
        return []
    small = msgspec.structs.replace(
        impact,
        changed=impact.changed[:PICTURED],
        reached=_nearest(impact.reached, PICTURED),
        tests=_nearest(impact.tests, PICTURED // 2),
    )
    return [f"```mermaid\n{draw_mermaid(small)}\n```"]


def _nearest(entries: tuple[Reached, ...], count: int) -> tuple[Reached, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.distance)[:count])


def _reached(impact: Impact) -> list[str]:
    if not impact.reached:
        return []
    rows = [
        (code(title(each.symbol)), code(place(each.symbol)), str(each.distance), each.tier)
        for each in _nearest(impact.reached, LISTED)
    ]
    table = _table(("symbol", "where", "steps", "sure"), rows, len(impact.reached) - LISTED)
    return [f"### Reaches {plural(len(impact.reached), 'symbol')}", table]


def _tests(findings: Findings) -> list[str]:
    tests = findings.tests
    if not tests.selected:
        return ["### Tests", "No known test can come out otherwise."]
    how = "by recordings" if tests.basis != "static" else "by the graph alone"
    listed = [f"- {code(each.test)}" for each in tests.selected[:LISTED]]
    left = len(tests.selected) - LISTED
    listed += [f"- and {left:,} more"] if left > 0 else []
    known = len(tests.selected) + len(tests.skipped)
    return [
        f"### Run {len(tests.selected):,} of {plural(known, 'test')}, {how}",
        "\n".join(listed),
    ]


def _reviewers(found: Reviewers) -> list[str]:
    parts = ["### Ask for a review"] if found.reviewers else []
    rows = [
        (code(each.person.name), f"{each.score:.0%}", "<br>".join(_reasons(each))) for each in found.reviewers
    ]
    parts += [_table(("who", "", "why"), rows)] if rows else []
    if found.obligations:
        rows = [
            (
                " ".join(map(code, each.owners)),
                plural(len(each.files), "file"),
                code(f"{each.file}:{each.line}"),
            )
            for each in found.obligations
        ]
        parts += ["### Must approve, by the rules", _table(("one of", "for", "rule"), rows)]
    if found.at_risk:
        thin = [
            (code(each.path), " ".join(code(who.name) for who in each.known_to) or "nobody")
            for each in found.at_risk[:LISTED]
        ]
        left = len(found.at_risk) - LISTED
        parts += ["### Known to one person alone", _table(("file", "who"), thin, left)]
    return parts


def _reasons(each: Advice) -> list[str]:
    return [code(reason.sentence) for reason in each.reasons[:REASONS]]


def _owners(impact: Impact) -> list[str]:
    if not impact.owners:
        return []
    rows = [(code(each.owner), f"{each.changed:,}", f"{each.reached:,}") for each in impact.owners[:LISTED]]
    heads = ("owner", "changed files", "reached files")
    return ["### Owners", _table(heads, rows, len(impact.owners) - LISTED)]
