"""`maestro reviewers`: who is worth asking to review a change, and who must be asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api import documents
from api.commands.questions import read_question
from api.commands.running import Diff, Everything, Json, Range, Repo, Rev, answer, failing
from api.console import Meter, answers
from api.review_documents import Reviewers
from api.review_listing import print_reviewers
from graph.errors import InputError

if TYPE_CHECKING:
    from api.service import Service

COUNT = 5

Absences = Annotated[
    Path | None,
    typer.Option(
        "--absences",
        metavar="FILE",
        help="Who is away (docs/reviews.md); otherwise MAESTRO_ABSENCES names the file.",
    ),
]
Author = Annotated[
    str,
    typer.Option("--author", metavar="WHO", help="Who made it: an address, @handle or name; for a diff."),
]


def reviewers(
    asked: Range = "",
    diff: Diff = "",
    rev: Rev = "HEAD",
    author: Author = "",
    absences: Absences = None,
    count: Annotated[int, typer.Option("-n", "--count", help="How many to name, 1 to 100.")] = COUNT,
    spread: Annotated[
        bool,
        typer.Option("--spread", help="In the order that spreads the work, and what one alone knows."),
    ] = False,
    repo: Repo = "",
    everything: Everything = False,
    json: Json = False,
) -> None:
    """Who should review this change? Each name with its reasons; what CODEOWNERS demands stands apart.

    Judged by what was there before the change: who reviewed its author, who reviewed or wrote its files, who
    changed the symbols that it reaches. What one repository's people do is learned from its own past.

    **Examples**

    - `maestro reviewers main..HEAD` : a branch
    - `git diff HEAD | maestro reviewers --diff - --author me@example.org` : what is not committed yet
    - `maestro reviewers HEAD --spread` : asking not always the same three people
    """
    with failing(json) as settings:
        from api.reviewing import Asking, read_absences

        question = read_question(asked, diff, rev, repo)
        place = absences or settings.absences
        asking = Asking(author, read_absences(place) if place else (), count, spread)

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api import reviewing

        return await reviewing.advise(service, question, asking, progress=meter)

    found = answer(work, json, "Nothing was written; ask again any time.")
    assert isinstance(found, Reviewers)
    if not json:
        print_reviewers(answers(), found, spread=spread, everything=everything)


def read_export(place: Path) -> bytes:
    """The bytes of a forge's export.

    Raises
    ------
    InputError
        It cannot be read.
    """
    from graph.ingest.reviews import MAX_EXPORT

    try:
        with place.open("rb") as file:
            return file.read(MAX_EXPORT + 1)
    except OSError as error:
        raise InputError(f"The reviews {place} cannot be read: {error.strerror}.", "Give a file.") from error
