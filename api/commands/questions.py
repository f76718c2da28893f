"""`maestro impact`, `path` and `search`: the questions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api import documents, pictures
from api.commands.running import AsOf, Everything, Json, Repo, answer, failing
from api.console import Meter, answers
from api.listing import print_found, print_paths
from api.questions import DEPTH, DEPTH_LIMIT, Direction, Question, Subject, subject_of
from api.rendering import print_impact
from graph.errors import InputError
from graph.schema import DEFAULT_TIER, Tier

if TYPE_CHECKING:
    from api.service import Service

DIFF_LIMIT = 64 * 1024 * 1024
"""Bytes of a diff that are taken."""

TierOption = Annotated[Tier, typer.Option("--tier", help="Weakest tier that is followed.")]
DepthOption = Annotated[int, typer.Option("--depth", help=f"Steps at most, 1 to {DEPTH_LIMIT}.")]


def impact(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="A..B|FILE:LINE|SYMBOL",
            help="A range of commits, a line, or a symbol; HEAD when left out.",
        ),
    ] = "",
    diff: Annotated[
        str, typer.Option("--diff", metavar="FILE", help="A diff instead; `-` reads standard input.")
    ] = "",
    rev: Annotated[str, typer.Option("--rev", help="The revision that the diff was made on.")] = "HEAD",
    depth: DepthOption = DEPTH,
    tier: TierOption = DEFAULT_TIER,
    direction: Annotated[
        Direction, typer.Option(help="`up`: what depends on it. `down`: what it depends on.")
    ] = Direction.UP,
    repo: Repo = "",
    as_of: AsOf = "",
    everything: Everything = False,
    json: Json = False,
    dot: Annotated[bool, typer.Option("--dot", help="Draw it for Graphviz.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Draw it for Markdown.")] = False,
) -> None:
    """What does this reach? Changed symbols, what depends on them, and the path that proves each.

    Neither side of a range has to be indexed: what is missing is read from git and resolved alike.

    **Examples**

    - `maestro impact main..HEAD` : a branch
    - `maestro impact HEAD` : one commit
    - `git diff HEAD | maestro impact --diff -` : what is not committed yet
    - `maestro impact src/app.py:42` : the function on a line
    - `maestro impact Flask.route --direction down` : what a method stands on
    - `maestro impact Flask.route --as-of 2026-01-31` : what it reached then
    - `maestro impact main..HEAD --mermaid` : a picture for a pull request
    """
    with failing(json):
        question = _question(asked, diff, rev, repo, tier, depth, direction, as_of)
        if json + dot + mermaid > 1:
            raise InputError("--json, --dot and --mermaid exclude each other.", "Choose one of them.")

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.impact(question, progress=meter)

    found = answer(work, json, "Nothing was written; ask again any time.")
    assert isinstance(found, documents.Impact)
    if dot:
        typer.echo(pictures.draw_dot(found))
    elif mermaid:
        typer.echo(pictures.draw_mermaid(found))
    elif not json:
        print_impact(answers(), found, everything)


def _question(
    asked: str, diff: str, rev: str, repo: str, tier: Tier, depth: int, direction: Direction, as_of: str
) -> Question:
    if diff and asked:
        raise InputError("A diff and a range or symbol were given.", "Ask about one of them.")
    if diff:
        data = _read_diff(diff)
        return Question(Subject.DIFF, rev, data, repo, tier, depth, direction, as_of)
    asked = os.fsencode(asked).decode("utf-8", "surrogateescape") or "HEAD"
    return Question(subject_of(asked), asked, b"", repo, tier, depth, direction, as_of)


def read_question(asked: str, diff: str, rev: str, repo: str) -> Question:
    """A question about a change alone: what names no revision is an error of its own."""
    if diff and asked:
        raise InputError("A diff and a range were given.", "Ask about one of them.")
    if diff:
        return Question(Subject.DIFF, rev, _read_diff(diff), repo)
    asked = os.fsencode(asked).decode("utf-8", "surrogateescape") or "HEAD"
    return Question(Subject.REVISIONS, asked, b"", repo)


def _read_diff(diff: str) -> bytes:
    if diff == "-":
        data = sys.stdin.buffer.read(DIFF_LIMIT + 1)
    else:
        try:
            with Path(diff).open("rb") as file:
                data = file.read(DIFF_LIMIT + 1)
        except OSError as error:
            raise InputError(
                f"The diff {diff} cannot be read: {error.strerror}.", "Give a file, or - ."
            ) from error
    if len(data) > DIFF_LIMIT:
        raise InputError(f"The diff is larger than {DIFF_LIMIT >> 20} MB.", "Ask about a range of commits.")
    if not data.strip():
        raise InputError("The diff is empty.", "Is there anything that differs? `git diff HEAD` shows it.")
    return data


def path(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A symbol or FILE:LINE.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another.")],
    count: Annotated[int, typer.Option("-k", "--count", min=1, max=100, help="How many paths.")] = 3,
    tier: TierOption = DEFAULT_TIER,
    depth: DepthOption = DEPTH,
    repo: Repo = "",
    as_of: AsOf = "",
    json: Json = False,
) -> None:
    """How does one symbol come to depend on another? The shortest proof paths, with their lines.

    **Examples**

    - `maestro path Flask.wsgi_app Session.save`
    - `maestro path src/app.py:42 src/db.py:7 -k 5`
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.paths(source, target, repo, tier=tier, depth=depth, count=count, as_of=as_of)

    found = answer(work, json)
    assert isinstance(found, documents.Paths)
    if not json:
        print_paths(answers(), found)


def search(
    query: Annotated[
        str, typer.Argument(help="A name, its beginning, its words' first letters, or a part of it.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Results at most.")] = 20,
    repo: Repo = "",
    as_of: AsOf = "",
    json: Json = False,
) -> None:
    """Which symbols, files and tests have this name?

    **Examples**

    - `maestro search route`
    - `maestro search session.open --limit 50`
    - `maestro search gAT` : get_active_transport, and the like
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.search(query, repo, limit=limit, as_of=as_of)

    found = answer(work, json)
    assert isinstance(found, documents.Found)
    if not json:
        print_found(answers(), found)
