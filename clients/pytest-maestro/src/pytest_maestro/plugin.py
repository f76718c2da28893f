"""What pytest loads: the options, and which part of the plugin is at work for them.

Without any of its options the plugin does nothing and imports nothing more than this.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

DEFAULT = os.path.join(".maestro", "recording")
WORKER = "PYTEST_XDIST_WORKER"
RECORDING, SELECTING = "maestro-recording", "maestro-selecting"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("maestro", "record what tests do, and run those that a change can alter")
    add = group.addoption
    add("--maestro-record", action="store_true", help="Record what every test does, for later selections.")
    add("--maestro-recording", metavar="FILE", help=f"Where the recording is (default: {DEFAULT}).")
    add(
        "--maestro", action="store_true", help="Run the tests that the changes since the recording can alter."
    )
    add("--maestro-plan", metavar="FILE", help="Write what is selected, and why, as JSON.")
    add(
        "--maestro-url",
        metavar="URL",
        help="Ask the Maestro service there, instead of a local recording; send it what is recorded.",
    )
    add("--maestro-repository", metavar="NAME", default="", help="The repository's name in the service.")
    add(
        "--maestro-timeout",
        metavar="SECONDS",
        type=float,
        default=20.0,
        help="How long the service may take.",
    )


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, None]:
    """Begin before conftest files are imported."""
    _begin_recording(early_config, early_config.known_args_namespace)
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin what has not begun."""
    _begin_recording(config, config.option)
    if config.option.maestro and not config.pluginmanager.has_plugin(SELECTING):
        from pytest_maestro.selecting import selecting

        config.pluginmanager.register(selecting(config, recording_place(config, config.option)), SELECTING)


def recording_place(config: pytest.Config, options: Any) -> Path:
    """Where the recording is."""
    named = options.maestro_recording
    return Path(config.invocation_params.dir, named) if named else Path(config.rootpath, DEFAULT)


def _begin_recording(config: pytest.Config, options: Any) -> None:
    if not options.maestro_record or options.collectonly or config.pluginmanager.has_plugin(RECORDING):
        return
    from pytest_maestro.session import Controller, Session, Worker

    place = recording_place(config, options)
    kind: Any = Session
    if WORKER in os.environ:
        kind = Worker
    elif _distributes(options):
        kind = Controller
    config.pluginmanager.register(kind.begun(config, place), RECORDING)


def _distributes(options: Any) -> bool:
    """Whether other processes run the tests, by pytest-xdist."""
    asked = getattr(options, "numprocesses", None), getattr(options, "tx", None)
    return bool(asked[0] or asked[1]) or getattr(options, "dist", "no") != "no"
