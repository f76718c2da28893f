"""A pytest plugin that tells how every test came out, as it goes, and ends a test that takes too long.

It is loaded into other environments by its file's name, so it imports pytest alone. OUTCOMES_FILE names
the file, one JSON object a line: `begun` when a test starts, `node` and `result` when it is through, `broken`
for what cannot be collected, `finished` at the end. What a killed run had told until then stays readable.
OUTCOMES_LIMIT is in seconds.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

_LIMIT = float(os.environ["OUTCOMES_LIMIT"])
_file = open(os.environ["OUTCOMES_FILE"], "a", encoding="utf-8")  # noqa: SIM115
_owner = os.getpid()
_results: dict[str, str] = {}


def _tell(**said: Any) -> None:
    # A child that a test forked has this module too: it tells nothing.
    if os.getpid() == _owner:
        _file.write(json.dumps(said) + "\n")
        _file.flush()


def _end(number: int, frame: FrameType | None) -> None:
    pytest.fail(f"it took more than {_LIMIT:g} s", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tells that a test begins and how it came out; a test that hangs is interrupted again and again."""
    _tell(begun=item.nodeid)
    before = signal.signal(signal.SIGALRM, _end)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        _tell(node=item.nodeid, result=_results.pop(item.nodeid, "error"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """The limit is that of one phase: outside of them nothing would take the exception."""
    return (yield from _limited())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """As for the set-up."""
    return (yield from _limited())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """As for the set-up."""
    return (yield from _limited())


def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, _LIMIT, 1.0)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The worst of a test's phases; an expected failure is none."""
    result: str = "xfailed" if hasattr(report, "wasxfail") and not report.failed else report.outcome
    if report.failed and report.when != "call":
        result = "error"
    worse = ("", "passed", "skipped", "xfailed", "failed", "error")
    known = _results.get(report.nodeid, "")
    _results[report.nodeid] = max(known, result, key=worse.index)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """What cannot be collected."""
    if report.failed:
        _tell(broken=report.nodeid)


def pytest_sessionfinish(exitstatus: int) -> None:
    """The run came to its end."""
    _tell(finished=int(exitstatus))
