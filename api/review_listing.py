"""Reviewers as people read them on a terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from api.rendering import ANSWER, plural, printable
from api.review_documents import Advice, Behind, Demanded, Person, Reviewers

REASONS = 3
"""Reasons shown of each before `--all`."""


def print_reviewers(
    console: Console, found: Reviewers, *, spread: bool = False, everything: bool = False
) -> None:
    """Advice with its reasons, then what rules demand, who is passed over, what too few know."""
    parts: list[RenderableType] = [_header(found), Text("")]
    parts += _advice(found, spread, everything)
    parts += _obligations(found)
    parts += _absent(found)
    parts += _risks(found, everything)
    parts += [Text(f"Note: {printable(note)}", style="note") for note in found.notes]
    width = console.width if everything else min(console.width, ANSWER)
    console.print(Group(*parts), width=width)


def _header(found: Reviewers) -> RenderableType:
    first = Text.assemble((printable(found.repository), "bold"), "  ", (printable(found.asked), "command"))
    basis = found.basis
    stands = f"{plural(basis.reviews, 'review')} in {plural(basis.commits, 'commit')}"
    how = (
        f"learned from {basis.examples:,} of them at {basis.learned[:10]}"
        if basis.method == "model"
        else "by the rule: there is too little to learn from"
    )
    by = ", ".join(printable(each.name) for each in found.authors) or "an unknown author"
    second = Text(f"by {by} · {stands} · {how} · {found.seconds:.2f} s", style="quiet")
    return Group(first, second)


def shown_name(person: Person) -> str:
    """`Ann Lee <ann@example.org>`, or the address alone."""
    if not person.address or person.address == person.name:
        return printable(person.name)
    return f"{printable(person.name)} <{printable(person.address)}>"


def _advice(found: Reviewers, spread: bool, everything: bool) -> list[RenderableType]:
    if not found.reviewers:
        return [Text.assemble(("Ask  ", "heading"), ("nobody who could be named", "note"))]
    order = "spread over more people" if spread else "best first"
    parts: list[RenderableType] = [Text.assemble(("Ask  ", "heading"), (order, "quiet"))]
    for number, each in enumerate(found.reviewers, 1):
        parts.append(Padding(_named(number, each), (0, 0, 0, 2)))
        reasons = each.reasons if everything else each.reasons[:REASONS]
        for reason in reasons:
            parts.append(Padding(_reason(reason), (0, 0, 0, 5)))
            if everything:
                parts.append(Padding(_path(reason), (0, 0, 0, 7)))
    if found.more:
        parts.append(Text(f"  and {found.more:,} more (--count names them)", style="quiet"))
    return parts


def _named(number: int, each: Advice) -> Text:
    load = f"{each.reviews:,} reviews in 30 days"
    if each.waiting:
        load += f", {plural(each.waiting, 'change')} waiting"
    return Text.assemble(
        (f"{number:>2} ", "count"),
        (shown_name(each.person), "bold"),
        (f"  {each.score:.0%}", "count"),
        (f"  {load}", "quiet"),
    )


def _reason(reason: Behind) -> Text:
    return Text.assemble(printable(reason.sentence), (f"  {reason.newest[:10]}", "place"))


def _path(reason: Behind) -> Text:
    names = [reason.path[0].source.name, *(step.target.name for step in reason.path)]
    return Text(" → ".join(map(printable, names)), style="quiet")


def _obligations(found: Reviewers) -> list[RenderableType]:
    if not found.obligations:
        return []
    parts: list[RenderableType] = [
        Text(""),
        Text.assemble(("Must approve  ", "heading"), ("by the rules, whatever is advised", "quiet")),
    ]
    return [*parts, *(Padding(_demanded(each), (0, 0, 0, 2)) for each in found.obligations)]


def _demanded(each: Demanded) -> Text:
    section = f" [{each.section}]" if each.section else ""
    files = plural(len(each.files), "file")
    need = "optional" if each.approvals == 0 else f"{each.approvals} of" if each.approvals > 1 else "one of"
    owners = ", ".join(each.owners)
    return Text.assemble(
        (f"{need} ", "quiet"),
        printable(owners),
        (f"  {files} under {printable(each.rule)}{printable(section)}", "quiet"),
        (f"  {printable(each.file)}:{each.line}", "place"),
    )


def _absent(found: Reviewers) -> list[RenderableType]:
    if not found.absent:
        return []
    parts: list[RenderableType] = [Text(""), Text("Passed over", style="heading")]
    for each in found.absent[:5]:
        how = "inferred: " if each.inferred else ""
        line = Text.assemble(shown_name(each.person), (f"  {how}{printable(each.why)}", "note"))
        parts.append(Padding(line, (0, 0, 0, 2)))
    if len(found.absent) > 5:
        parts.append(Text(f"  and {len(found.absent) - 5} more", style="quiet"))
    return parts


def _risks(found: Reviewers, everything: bool) -> list[RenderableType]:
    if not found.at_risk:
        return []
    counted = plural(len(found.at_risk), "changed file")
    parts: list[RenderableType] = [
        Text(""),
        Text.assemble(("Thin knowledge  ", "heading"), (f"{counted} that one person alone knows", "quiet")),
    ]
    for risk in found.at_risk if everything else found.at_risk[:5]:
        who = ", ".join(printable(each.name) for each in risk.known_to) or "nobody"
        parts.append(Padding(Text.assemble(printable(risk.path), (f"  {who}", "quiet")), (0, 0, 0, 2)))
    return parts
