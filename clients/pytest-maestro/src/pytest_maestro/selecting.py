"""The hooks of pytest by which a run leaves out what a change cannot alter.

Nothing here fails a run: on any doubt every test runs, and the run says why.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_maestro.decision import ARROW, Decision, plan, write_plan

INPUT = "maestro_skipped"
NOTES = 3


def selecting(config: pytest.Config, recording: Path) -> Any:
    """The part that selects in this process: as a worker told by its controller, or by its own decision."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        return Told(frozenset(told.get(INPUT, ())))
    return Deciding(config, decision(config, recording))


def decision(config: pytest.Config, recording: Path) -> Decision:
    """What this run is to leave out; everything runs where that cannot be told."""
    try:
        return _asking(config, recording)()
    except Exception as error:  # whatever it is, the tests must run
        return Decision.everything(f"The selection failed: {type(error).__name__}: {error}")


def _asking(config: pytest.Config, recording: Path) -> Callable[[], Decision]:
    options = config.option
    if options.maestro_url:
        from pytest_maestro.remote import ask

        return lambda: ask(
            options.maestro_url, options.maestro_repository, config.rootpath, options.maestro_timeout
        )
    from pytest_maestro.local import decide

    own = [recording, *([_plan_place(config)] if options.maestro_plan else [])]
    return lambda: decide(recording, str(config.rootpath), own)


def _plan_place(config: pytest.Config) -> Path:
    return Path(config.invocation_params.dir, config.option.maestro_plan)


class Told:
    """Leaves out what it was told to."""

    def __init__(self, skipped: frozenset[str]) -> None:
        self.skipped = skipped
        self.selected: list[str] = []
        self.deselected: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Take out the tests that are to be left out; whatever is not known stays."""
        removed = [item for item in items if item.nodeid in self.skipped]
        items[:] = [item for item in items if item.nodeid not in self.skipped]
        self.selected = [item.nodeid for item in items]
        self.deselected = [item.nodeid for item in removed]
        if removed:
            config.hook.pytest_deselected(items=removed)


class Deciding(Told):
    """Leaves out what was decided, tells why the rest runs, and writes the plan."""

    def __init__(self, config: pytest.Config, decided: Decision) -> None:
        super().__init__(decided.skipped)
        self.config = config
        self.decided = decided
        self.distributed = False
        self.fault = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist what to leave out."""
        self.distributed = True
        node.workerinput[INPUT] = sorted(self.skipped)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """A worker has collected what is left."""
        self.selected = list(ids)
        self.deselected = sorted(self.skipped)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Tell how many run, and with -v why each does."""
        return [] if self.distributed else self._lines()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """That a change alters no test is no failure; write the plan."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.deselected:
            session.exitstatus = pytest.ExitCode.OK
        if self.config.option.maestro_plan:
            try:
                write_plan(plan(self.decided, self.selected, self.deselected), _plan_place(self.config))
            except OSError as error:
                self.fault = f"the plan could not be written: {error}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell what is still to be told."""
        for line in self._lines() if self.distributed else ():
            terminalreporter.write_line(line)
        if self.fault:
            terminalreporter.write_line(f"maestro: {self.fault}")

    def _lines(self) -> list[str]:
        decided = self.decided
        if decided.all_run:
            return [f"maestro: all tests run. {decided.all_run}"]
        total = len(self.selected) + len(self.deselected)
        lines = [f"maestro: {len(self.selected)} of {total} tests run, by {decided.source}."]
        verbose = self.config.option.verbose > 0
        shown = decided.notes if verbose else decided.notes[:NOTES]
        lines += [f"maestro: more run than the evidence asks for: {note}" for note in shown]
        if len(shown) < len(decided.notes):
            lines.append(
                f"maestro: and so for {len(decided.notes) - len(shown)} more reasons (-v tells them)."
            )
        if verbose:
            lines += [f"maestro: {node}: {ARROW.join(decided.reason(node))}" for node in self.selected]
        return lines
