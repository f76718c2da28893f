"""`maestro tests`: which tests a change can alter."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Annotated

import typer

from api import documents
from api.commands.questions import read_question
from api.commands.running import Diff, Everything, Json, Range, Repo, Rev, answer, failing
from api.console import Meter, answers
from api.questions import Mode
from api.tests_listing import explain, list_tests, print_backtest, print_tests
from graph.errors import InputError

if TYPE_CHECKING:
    from api.service import Service


@unique
class Format(StrEnum):
    """How tests are listed for programs."""

    PYTEST = "pytest-args"
    JUNIT = "junit"


def tests(
    asked: Range = "",
    diff: Diff = "",
    rev: Rev = "HEAD",
    mode: Annotated[
        Mode,
        typer.Option(
            help="`safe`: every test it can alter. `minimal`: a cover of what changed. `budget`: those that "
            "find most in `--seconds`."
        ),
    ] = Mode.SAFE,
    seconds: Annotated[float, typer.Option("--seconds", help="How long a budget may take.")] = 0.0,
    static: Annotated[
        bool, typer.Option("--static", help="By the graph alone, without recordings: wider.")
    ] = False,
    test: Annotated[
        str, typer.Option("--explain", metavar="TEST", help="Why this test is selected, or is not.")
    ] = "",
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Only a list: for `pytest @file`, or as JUnit's XML."),
    ] = None,
    repo: Repo = "",
    everything: Everything = False,
    json: Json = False,
) -> None:
    """Which tests can this change alter? Each with the path from what changed to it.

    Stands on recordings of test runs (`pytest --maestro-record`, then `maestro index --recording FILE`), or
    with `--static` on the graph alone. In doubt a test is selected, and the answer says so.

    **Examples**

    - `maestro tests main..HEAD` : a branch
    - `git diff HEAD | maestro tests --diff -` : what is not committed yet
    - `maestro tests HEAD --explain tests/test_cart.py::test_sum`
    - `maestro tests main..HEAD --format pytest-args > tests.txt && pytest @tests.txt`
    """
    with failing(json):
        question = read_question(asked, diff, rev, repo)
        if bool(test) + bool(form) + json > 1:
            raise InputError("--explain, --format and --json exclude each other.", "Choose one of them.")

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api import selection

        return await selection.select(
            service, question, mode=mode.value, budget=seconds, static=static, progress=meter
        )

    found = answer(work, json, "Nothing was written; ask again any time.")
    assert isinstance(found, documents.Tests)
    if form is not None:
        typer.echo(list_tests(found, form.value), nl=False)
    elif test:
        with failing(json):
            explain(answers(), found, test)
    elif not json:
        print_tests(answers(), found, everything)


def backtest(
    commits: Annotated[
        int, typer.Option("--commits", min=1, max=10_000, help="How many of the last commits.")
    ] = 50,
    repo: Repo = "",
    json: Json = False,
) -> None:
    """What would selection have saved, and missed, in this repository's own past?

    Nothing is run: the outcomes are those of the recordings that were taken in. Between two recorded states
    every test that came out otherwise must have been selected; commits without a recording of their own only
    tell what would have been run.

    **Examples**

    - `maestro backtest`
    - `maestro backtest --commits 500 --json`
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api import selection

        return await selection.backtest(service, repo, commits, progress=meter)

    found = answer(work, json, "Nothing was written; ask again any time.")
    assert isinstance(found, documents.Backtest)
    if not json:
        print_backtest(answers(), found)
