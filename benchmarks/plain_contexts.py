"""A pytest plugin that does what `pytest-cov --cov-context=test` does and no more: the peer of a recording.

It is loaded into other environments by its file's name, so it imports pytest and coverage only. The settings
file of coverage is named by COVERAGE_RCFILE.
"""

from __future__ import annotations

import coverage
import pytest

_measuring = coverage.Coverage()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Measure from before conftest files are imported."""
    _measuring.start()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A context for each phase of each test."""
    _measuring.switch_context(f"{item.nodeid}|setup")


def pytest_runtest_call(item: pytest.Item) -> None:
    """A context for each phase of each test."""
    _measuring.switch_context(f"{item.nodeid}|run")


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A context for each phase of each test."""
    _measuring.switch_context(f"{item.nodeid}|teardown")


def pytest_sessionfinish() -> None:
    """Write the data file."""
    _measuring.stop()
    _measuring.save()
