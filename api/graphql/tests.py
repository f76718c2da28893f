"""The tests that a change can alter, on the same input as `impact`."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api import documents
from api.graphql.context import Request
from api.graphql.nodes import Head, Repository
from api.jobs import SelectionJob
from api.questions import Mode, Question, Subject
from graph.errors import InputError

strawberry.enum(
    Mode,
    name="SelectionMode",
    description="Safe: every test that the change can alter. Minimal: a cover of what changed, cheapest "
    "first. Budget: those that find most in so many seconds.",
)


@strawberry.type(description="A test to run, and why.")
class SelectedTest:
    test: str = strawberry.field(
        description="As its runner names it; without brackets it means all of its parameters."
    )
    seconds: float = strawberry.field(description="How long it took when recorded; 0 where unknown.")
    new: bool = strawberry.field(description="Whether no recording tells of it.")
    reasons: list[list[str]] = strawberry.field(
        description="Paths from what changed to the test, a step a string."
    )


@strawberry.type(description="A recorded state that a selection stands on.")
class RecordedState:
    commit: str = strawberry.field(description="Commit that it was recorded at; empty outside git.")
    dirty: bool = strawberry.field(description="Whether files differed from that commit.")
    distance: str = strawberry.field(description="How far it is from the change, in words.")
    tests: int = strawberry.field(description="Tests that it tells of last.")
    differing: list[str] = strawberry.field(description="Files that matter and differ since.")


@strawberry.type(description="The tests that a change can alter. In doubt a test is selected.")
class TestSelection:
    head: Head = strawberry.field(description="What this was computed at.")
    repository: str = strawberry.field(description="The repository.")
    base_commit: str = strawberry.field(description="Commit of the base side; empty where there is none.")
    head_commit: str = strawberry.field(description="Commit of the head side; empty where there is none.")
    mode: str = strawberry.field(description="safe, minimal or budget.")
    basis: str = strawberry.field(description="recording: what tests were seen to do; static: the graph.")
    selected: list[SelectedTest] = strawberry.field(description="In the order to run them.")
    skipped: list[str] = strawberry.field(description="Known tests that the change cannot alter.")
    left: list[str] = strawberry.field(description="Tests that it can alter and that the mode leaves out.")
    widened: list[str] = strawberry.field(description="Steps by which more was taken than was seen, and why.")
    notes: list[str] = strawberry.field(description="What else is worth knowing.")
    recordings: list[RecordedState] = strawberry.field(
        description="The recorded states it stands on, newest first."
    )

    @classmethod
    def of(cls, found: documents.Tests) -> TestSelection:
        """A selection from its document."""
        return cls(
            head=Head(run=found.run, commit=found.indexed),
            repository=found.repository,
            base_commit=found.base,
            head_commit=found.head,
            mode=found.mode,
            basis=found.basis,
            selected=[
                SelectedTest(
                    test=each.test,
                    seconds=each.seconds,
                    new=each.new,
                    reasons=[list(steps) for steps in each.reasons],
                )
                for each in found.selected
            ],
            skipped=list(found.skipped),
            left=list(found.left),
            widened=list(found.widened),
            notes=list(found.notes),
            recordings=[
                RecordedState(
                    commit=state.commit,
                    dirty=state.dirty,
                    distance=state.distance,
                    tests=state.tests,
                    differing=list(state.differing),
                )
                for state in found.recordings
            ],
        )


async def resolve_test_selection(
    info: Request,
    repository: Repository = "",
    revisions: Annotated[
        str | None, strawberry.argument(name="range", description="`A..B`, `A...B`, or one commit.")
    ] = None,
    diff: Annotated[
        str | None,
        strawberry.argument(description="A unified diff instead; an empty one asks about `rev` as it is."),
    ] = None,
    rev: Annotated[str, strawberry.argument(description="The revision that the diff was made on.")] = "HEAD",
    mode: Annotated[Mode, strawberry.argument(description="How much is taken.")] = Mode.SAFE,
    seconds: Annotated[float, strawberry.argument(description="How long a budget may take.")] = 0.0,
    static: Annotated[
        bool, strawberry.argument(description="By the graph alone, without recordings: wider.")
    ] = False,
) -> TestSelection:
    """The tests that a change can alter. Exactly one of range and diff is given."""
    question = change_question(repository, revisions, diff, rev)
    return TestSelection.of(await info.context.answer(SelectionJob(question, mode, seconds, static)))


def change_question(repository: str, revisions: str | None, diff: str | None, rev: str) -> Question:
    if (revisions is None) == (diff is None):
        raise InputError(
            f"{'None' if diff is None else 'Both'} of range and diff were given.",
            "Give exactly one of them.",
        )
    if diff is None:
        return Question(Subject.REVISIONS, revisions or "", b"", repository)
    if not diff.strip():
        return Question(Subject.REVISIONS, f"{rev}..{rev}", b"", repository)
    return Question(Subject.DIFF, rev, diff.encode("utf-8", "surrogatepass"), repository)
