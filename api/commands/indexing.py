"""`maestro index`, `status`, `prune`, and the tour that `make run` gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from api import documents
from api.commands.reviewing import read_export
from api.commands.running import Json, Repo, answer, failing
from api.console import Meter, answers
from api.listing import print_indexed, print_pruned, print_status
from api.questions import Question, Subject
from api.rendering import print_impact

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from api.ahead import Ahead
    from api.service import Service
    from api.settings import Settings
    from graph.progress import Progress
    from graph.reading import Reading

RESUMING = "Nothing half-done is visible; the next `maestro index` goes on from what was read so far."

Place = Annotated[Path, typer.Argument(metavar="PATH", help="A clone on this machine; it is only read.")]


def index(
    place: Place = Path(),
    name: Annotated[str, typer.Option(help="What to call it; its folder's name by default.")] = "",
    rev: Annotated[str, typer.Option(help="The revision to index.")] = "HEAD",
    full: Annotated[bool, typer.Option("--full", help="Resolve everything again, changed or not.")] = False,
    recording: Annotated[
        list[Path] | None,
        typer.Option(
            "--recording",
            metavar="FILE",
            help="A recording of a test run to take in, or a coverage or JUnit report; may be given again.",
        ),
    ] = None,
    reviews: Annotated[
        Path | None,
        typer.Option("--reviews", metavar="FILE", help="Reviews that a forge exported (docs/reviews.md)."),
    ] = None,
    json: Json = False,
) -> None:
    """Read a git repository into the hypergraph, or bring it up to date.

    Nothing in the repository is run, its git hooks and settings included, and no source text is kept.

    **Examples**

    - `maestro index .`
    - `maestro index ~/src/flask --name flask --rev main`
    - `maestro index . --recording .maestro/recording` : with what tests were seen to do
    """

    with failing(json):
        export = read_export(reviews) if reviews else None

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.index(
            place, name, rev=rev, full=full, recordings=recording or (), reviews=export, progress=meter
        )

    found = answer(work, json, RESUMING, _ahead(place, name, rev))
    assert isinstance(found, documents.Indexed)
    if not json:
        print_indexed(answers(), found)


def _ahead(place: Path, name: str = "", rev: str = "HEAD") -> Ahead:
    def begun(settings: Settings, progress: Progress) -> AbstractContextManager[Reading | None]:
        # Only now, as in `running`: it brings all that reads along.
        from api.ahead import first_reading

        return first_reading(place, name, rev)(settings, progress)

    return begun


def status(json: Json = False) -> None:
    """Which repositories are in the store, at which commit, and where everything is kept."""

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.status()

    found = answer(work, json)
    assert isinstance(found, documents.Status)
    if not json:
        print_status(answers(), found)


def prune(
    repo: Repo = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove facts that were retired long ago (MAESTRO_KEEP runs), and files that nothing needs.

    What was pruned cannot be asked about any more with `--as-of`.
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.prune(repo, dry_run=dry_run, progress=meter)

    found = answer(work, json, "What was removed so far stays removed; nothing valid was touched.")
    assert isinstance(found, documents.Pruned)
    if not json:
        print_pruned(answers(), found)


def tour(place: Place = Path()) -> None:
    """Index a clone, show what its last commit reaches, and say what to type next (`make run`)."""
    console = answers()

    async def work(service: Service, meter: Meter) -> documents.Document:
        indexed = await service.index(place, progress=meter)
        meter.stop()
        print_indexed(console, indexed)
        console.print()
        question = Question(Subject.REVISIONS, indexed.commit[:12], repository=indexed.repository)
        return await service.impact(question, progress=meter)

    found = answer(work, False, RESUMING, _ahead(place))
    assert isinstance(found, documents.Impact)
    print_impact(console, found)
    console.print()
    console.print(Text("Next", style="heading"))
    from api.clones import repository_name

    repo = "" if repository_name(place) == repository_name(Path()) else f" --repo {found.repository}"
    commands = _next(found, repo)
    width = max(len(command) for command, _ in commands)
    for command, why in commands:
        console.print(
            Text.assemble("  ", (command.ljust(width), "command"), "  ", (why, "quiet")), soft_wrap=True
        )


def _next(found: documents.Impact, repo: str) -> list[tuple[str, str]]:
    maestro = ".venv/bin/maestro"
    commands = []
    if found.changed:
        name = found.changed[0].symbol
        commands.append((f"{maestro} impact {name.path}:{name.line}{repo}", "what one symbol reaches"))
    commands += [
        (f"{maestro} impact HEAD~5..HEAD{repo}", "what the last five commits reach"),
        (f"git diff HEAD | {maestro} impact --diff -{repo}", "what is not committed yet"),
        (f"{maestro} search NAME{repo}", "find a symbol, file or test"),
        (f"{maestro} serve", "the same answers over GraphQL"),
    ]
    return commands
