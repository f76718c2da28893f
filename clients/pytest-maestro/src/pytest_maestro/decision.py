"""What a run is to leave out, why the rest runs, and the plan that tells of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = "maestro-plan"
VERSION = 1
ARROW = " -> "


@dataclass(frozen=True)
class Decision:
    """What was decided before the tests were collected.

    Parameters
    ----------
    reasons : mapping of str to tuple of str
        Why each known test that runs does: a path from the change to the test.
    skipped : frozenset of str
        Node ids of the tests that are left out. Everything else runs, known or not.
    source : str
        What it stands on, for people: a recording and its commit, or a service.
    notes : tuple of str
        What else is to be said: by which steps more runs than the evidence shows.
    all_run : str
        Why every test runs, or empty.
    """

    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    source: str = ""
    notes: tuple[str, ...] = ()
    all_run: str = ""

    @classmethod
    def everything(cls, why: str, source: str = "") -> Decision:
        """All tests run, and why."""
        return cls(all_run=why, source=source)

    def reason(self, node: str) -> tuple[str, ...]:
        """Why a test runs."""
        if self.all_run:
            return (self.all_run,)
        return self.reasons.get(node) or ("it is not in the recording: a new test, or one with a new name",)


def plan(decision: Decision, selected: Iterable[str], deselected: Iterable[str]) -> dict[str, Any]:
    """The plan as JSON: every test that runs with its reason, every test that is left out."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": decision.source,
        "all_run": decision.all_run,
        "selected": [{"test": node, "reason": list(decision.reason(node))} for node in selected],
        "deselected": sorted(deselected),
        "notes": list(decision.notes),
    }


def write_plan(content: Mapping[str, Any], place: Path) -> None:
    """Write a plan in one step; an OSError where it cannot be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, place)
