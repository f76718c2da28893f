"""The embedded server's classes in a form that Java maps instead of reading them.

    python -m graph.class_archive      makes it

Set-up does so once, and every start then takes half the processor time. It is Java's class data
sharing (JEP 310, with the linked classes of JEP 483): which classes it holds is what one server loaded while
it worked for `python -m scripts.classlist`. It depends on the jars and on the Java beside them; where it does
not fit, Java passes over it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from graph import drafts
from graph.errors import DiskError, StoreUnavailableError
from graph.java import ARCHIVE, FLAGS, Wheel, made_or_told

CLASSES = Path(__file__).with_name("server.classlist")
"""What the archive holds: a line a class, as Java's own `lib/classlist`; the first line names the wheel."""
SECONDS = 120.0
"""How long it may take; it was measured to take four."""

_STEM = "maestro-classes"


def make(wheel: Wheel) -> Path:
    """Make the archive anew, in place of one that is there.

    Raises
    ------
    StoreUnavailableError
        Java fails, or takes too long; what it said last is in the message.
    DiskError
        There is no room for it (50 MB), or no right to write.
    """
    place = wheel.home / ARCHIVE
    drafts.sweep(wheel.home, _STEM)
    try:
        with drafts.DraftFolder(wheel.home, _STEM) as folder:
            draft = folder / ARCHIVE
            said = _dump(wheel, draft)
            if not draft.exists():
                raise _failed(said)
            draft.replace(place)
    except OSError as error:
        raise DiskError(
            f"{place} cannot be written: {error.strerror}.", "The server starts without it."
        ) from error
    return place


def _dump(wheel: Wheel, draft: Path) -> str:
    command = [
        str(wheel.java),
        "-Xshare:dump",
        "-XX:+AOTClassLinking",
        *FLAGS,
        f"-XX:SharedClassListFile={CLASSES}",
        f"-XX:SharedArchiveFile={draft}",
        "-cp",
        wheel.class_path,
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"it did not end within {SECONDS:.0f} s") from error
    if done.returncode:
        raise _failed(done.stdout)
    return done.stdout


def _failed(said: str) -> StoreUnavailableError:
    last = said.strip().rpartition("\n")[2]
    return StoreUnavailableError(
        f"Java made no archive of the embedded server's classes: {last[:300]}",
        "The server starts without it.",
    )


if __name__ == "__main__":
    raise SystemExit(made_or_told(make))
