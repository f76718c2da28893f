"""The tests that a difference reaches, and the steps by which it does, in words for people."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cause:
    """A step of a path: what differs here, and the step before it."""

    text: str
    before: Cause | None = None

    def path(self) -> tuple[str, ...]:
        """All steps, the first one first."""
        steps: list[str] = []
        step: Cause | None = self
        while step is not None:
            steps.append(step.text)
            step = step.before
        return tuple(reversed(steps))


@dataclass
class Reach:
    """Tests that a difference reaches, with the cause of each group, and what was taken without evidence for
    each test.
    """

    groups: list[tuple[int, Cause]] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)

    def add(self, mask: int, cause: Cause) -> None:
        """These tests are reached."""
        if mask:
            self.groups.append((mask, cause))

    @property
    def mask(self) -> int:
        """All tests of all groups."""
        mask = 0
        for tests, _ in self.groups:
            mask |= tests
        return mask


def shown(slot: str) -> str:
    """A slot for people."""
    path, _, name = slot.rpartition("::")
    return f"{name} of {path}" if path else f"the attribute {slot}"
