"""How long work tells how far it is, without knowing who shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as `progress(phase, done, total)`; `total` 0 where it is not known yet.

    Phases are short plain words ("reading files"). Called often: keep it cheap. It may raise
    to cancel the work; nothing half-done becomes visible then.
    """

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Told how far a phase is."""


def silent(phase: str, done: int, total: int) -> None:
    """Progress for callers that show none."""
