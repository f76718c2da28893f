"""What a report is made of: the answers of three questions about one change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from api import reviewing, selection
from api.documents import Document, Impact, Tests
from api.rendering import printable
from api.review_documents import Reviewers
from graph.errors import NotFoundError
from graph.progress import Progress, silent

if TYPE_CHECKING:
    from api.questions import Question
    from api.service import Service

LISTED = 20
"""Rows of a list in Markdown; a comment on a pull request has its bounds."""


class Written(Struct, frozen=True, kw_only=True):
    """A file that was written."""

    format: Annotated[str, Meta(description="markdown, sarif or html.")]
    path: Annotated[str, Meta(description="Where it is.")]
    bytes: Annotated[int, Meta(description="How large it is.")]


class Report(Document, frozen=True, kw_only=True):
    """The files that `maestro report` wrote, and what stands in them in numbers."""

    SHAPE = "report"

    repository: Annotated[str, Meta(description="Name of the repository.")]
    asked: Annotated[str, Meta(description="The question as it was put.")]
    base: Annotated[str, Meta(description="Commit of the base side; empty for a first commit.")] = ""
    head: Annotated[str, Meta(description="Commit of the head side; empty for a diff's result.")] = ""
    files: Annotated[tuple[Written, ...], Meta(description="What was written.")] = ()
    changed: Annotated[int, Meta(description="Symbols that changed.")] = 0
    reached: Annotated[int, Meta(description="Symbols that are reached besides.")] = 0
    tests: Annotated[int, Meta(description="Tests to run.")] = 0
    reviewers: Annotated[int, Meta(description="Reviewers that are advised.")] = 0
    notes: Annotated[tuple[str, ...], Meta(description="What could not be told.")] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """The answers; `reviewers` is None where the history was never read, and `notes` say so."""

    impact: Impact
    tests: Tests
    reviewers: Reviewers | None
    notes: tuple[str, ...]

    @property
    def sides(self) -> str:
        """Both sides of the change in short."""
        base, head = self.impact.base[:10] or "nothing", self.impact.head[:10] or "the diff's result"
        return f"{base} to {head}"


async def gather(
    service: Service,
    question: Question,
    asking: reviewing.Asking,
    *,
    refresh: bool = True,
    progress: Progress = silent,
) -> Findings:
    """Ask what a change reaches, which tests it can alter, and who should review it.

    Tests are those that recordings tell of, and those of the graph alone where there is no recording.
    """
    notes: list[str] = []
    impact = await service.impact(question, refresh=refresh, progress=progress)
    scope = await service.choose(question.repository)
    static = selection.evidence(service, scope, service.mirror(scope, refresh)) is None
    if static:
        notes.append("No test run was recorded: the tests are those that the graph alone leads to.")
    tests = await selection.select(service, question, static=static, refresh=refresh, progress=progress)
    reviewers = None
    try:
        reviewers = await reviewing.advise(service, question, asking, refresh=refresh, progress=progress)
    except NotFoundError as error:
        if asking.author:
            raise
        notes.append(f"No reviewers: {error.message}")
    told = (*impact.notes, *tests.notes, *(reviewers.notes if reviewers else ()), *notes)
    return Findings(impact, tests, reviewers, tuple(map(printable, dict.fromkeys(told))))
