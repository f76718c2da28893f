"""Small files that a reader keeps beside a mirror, replaced in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from graph.errors import DiskError


def replace_file(place: Path, data: bytes) -> None:
    """Write a file anew: a reader sees the old one or the new one.

    Raises
    ------
    DiskError
        It cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, place)
    except OSError as error:
        raise DiskError(
            f"Cannot write {place}: {error.strerror}.", "Make room or check the rights."
        ) from error
