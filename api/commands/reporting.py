"""`maestro report`: one change's cone, tests, owners and reviewers as files."""

from __future__ import annotations

import sys
from enum import StrEnum, unique
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from api import documents
from api.commands.questions import read_question
from api.commands.reviewing import Absences, Author
from api.commands.running import Diff, Json, Range, Repo, Rev, answer, failing
from api.console import Meter, answers
from api.rendering import plural, printable
from graph import drafts
from graph.errors import DiskError, InputError

if TYPE_CHECKING:
    from api.reports.findings import Findings, Written
    from api.service import Service


@unique
class Format(StrEnum):
    """What a report is written as."""

    MARKDOWN = "markdown"
    SARIF = "sarif"
    HTML = "html"


ENDINGS = {Format.MARKDOWN: ".md", Format.SARIF: ".sarif", Format.HTML: ".html"}


def report(
    asked: Range = "",
    diff: Diff = "",
    rev: Rev = "HEAD",
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the files go; it is made if need be.")
    ] = Path("maestro-report"),
    form: Annotated[
        Format | None,
        typer.Option("--format", help="This one alone, to standard output instead of files."),
    ] = None,
    author: Author = "",
    absences: Absences = None,
    repo: Repo = "",
    json: Json = False,
) -> None:
    """Write what a change reaches, which tests to run and whom to ask: Markdown, SARIF and HTML.

    The Markdown is for a pull request, the SARIF for what shows findings beside lines, the HTML is one file
    that needs nothing else. Tests are those of recordings, or of the graph alone where there are none.

    **Examples**

    - `maestro report main..HEAD` : report.md, report.sarif and report.html in maestro-report/
    - `maestro report main..HEAD --format markdown | gh pr comment --body-file -`
    """
    with failing(json) as settings:
        from api.reviewing import Asking, read_absences

        if form and json:
            raise InputError("--format and --json exclude each other.", "Choose one of them.")
        question = read_question(asked, diff, rev, repo)
        away = absences or settings.absences
        asking = Asking(author, read_absences(away) if away else ())
        if not form:
            _prepare(out)
    kept: list[Findings] = []

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api.reports.findings import Report, gather

        findings = await gather(service, question, asking, progress=meter)
        kept.append(findings)
        return Report(
            repository=findings.impact.repository,
            asked=findings.impact.asked,
            base=findings.impact.base,
            head=findings.impact.head,
            files=() if form else tuple(_save(out, each, _rendered(each, findings)) for each in Format),
            changed=len(findings.impact.changed),
            reached=len(findings.impact.reached),
            tests=len(findings.tests.selected),
            reviewers=len(findings.reviewers.reviewers) if findings.reviewers else 0,
            notes=findings.notes,
        )

    found = answer(work, json, "Files that were written whole stay; none is half-written.")
    if form:
        sys.stdout.write(_rendered(form, kept[0]))
    elif not json:
        _print(found)


def _rendered(form: Format, findings: Findings) -> str:
    from api.reports.markdown import write_markdown
    from api.reports.page import write_page
    from api.reports.sarif import write_sarif

    writers = {Format.MARKDOWN: write_markdown, Format.SARIF: write_sarif, Format.HTML: write_page}
    return writers[form](findings)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(
            f"The folder {folder} cannot be made: {error.strerror}.", "Give another: --out FOLDER."
        ) from error


def _save(folder: Path, form: Format, text: str) -> Written:
    """Write a file whole or not at all."""
    from api.reports.findings import Written

    place, data = folder / f"report{ENDINGS[form]}", text.encode("utf-8")
    try:
        # Like any file that a person writes, and not for its owner alone as those of ours are.
        with drafts.draft(place, mode=0o644) as out:
            out.write(data)
    except OSError as error:
        raise DiskError(
            f"{place} cannot be written: {error.strerror}.", "Make room, or give --out."
        ) from error
    return Written(format=form.value, path=str(place), bytes=len(data))


def _print(found: documents.Document) -> None:
    from api.reports.findings import Report

    assert isinstance(found, Report)
    console = answers()
    console.print(
        Text.assemble((printable(found.repository), "bold"), "  ", (printable(found.asked), "command"))
    )
    counts = (plural(found.changed, "changed symbol"), plural(found.reached, "reached symbol"))
    more = (plural(found.tests, "test") + " to run", plural(found.reviewers, "reviewer"))
    console.print(Text(" · ".join((*counts, *more)), style="quiet"))
    for each in found.files:
        console.print(Text.assemble("  ", printable(each.path), (f"  {each.bytes:,} bytes", "quiet")))
    for note in found.notes:
        console.print(Text(f"Note: {note}", style="note"))
