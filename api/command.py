"""The command line: what `maestro` understands. Each group of commands has its own file."""

from __future__ import annotations

import typer

from api import __version__
from api.commands import (
    backups,
    exporting,
    health,
    indexing,
    questions,
    reporting,
    reviewing,
    serving,
    testing,
)

EPILOG = "Settings are environment variables (docs/settings.md). Every command has its own --help."

app = typer.Typer(
    name="maestro",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"maestro {__version__}")
        raise typer.Exit


@app.callback()
def maestro(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """What does this change reach? Maestro keeps a repository as one hypergraph, and answers with proofs.

    Begin with `maestro index .`, then ask: `maestro impact HEAD~1..HEAD`.
    """


ASK, KEEP, LOOK = "Ask", "Keep", "Look after"
for command, panel in (
    (questions.impact, ASK),
    (testing.tests, ASK),
    (testing.backtest, ASK),
    (reviewing.reviewers, ASK),
    (reporting.report, ASK),
    (questions.path, ASK),
    (questions.search, ASK),
    (exporting.export, ASK),
    (indexing.index, KEEP),
    (indexing.status, KEEP),
    (indexing.prune, KEEP),
    (health.doctor, LOOK),
    (backups.backup, LOOK),
    (backups.restore, LOOK),
    (serving.serve, LOOK),
):
    app.command(rich_help_panel=panel)(command)
app.command(hidden=True)(indexing.tour)


def main() -> None:
    """Run the command line."""
    app(prog_name="maestro")
