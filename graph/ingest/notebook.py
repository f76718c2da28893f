"""Small files that are kept beside a mirror or arrays, replaced in one step."""

from __future__ import annotations

from pathlib import Path

from graph import drafts
from graph.errors import DiskError


def replace_file(place: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file anew: a reader sees the old one or the new one.

    Parameters
    ----------
    durable : bool
        See `drafts.draft`.

    Raises
    ------
    DiskError
        It cannot be written.
    """
    try:
        with drafts.draft(place, durable=durable) as out:
            out.write(data)
    except OSError as error:
        raise DiskError(
            f"Cannot write {place}: {error.strerror}.", "Make room or check the rights."
        ) from error
