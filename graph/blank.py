"""An empty database with the schema in it, which new data directories of the embedded server begin with.

    python -m graph.blank      makes it

Set-up does so once. Without it each new data directory has the server make thirty kinds of record and
their indexes one after the other, which holds the first index up for one to two seconds. The name of its
folder says by a fingerprint what it was made from; one of another server or another schema is passed over,
and what there is to migrate is then migrated as ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

from graph import claims, drafts, embedded, migrations
from graph.bolt import Address, Line
from graph.errors import DiskError
from graph.java import DATABASE, OPTIONS, Wheel, made_or_told
from graph.settings import StoreSettings

_STEM = "maestro-blank"


def fingerprint(version: str) -> str:
    """What an empty database follows from: the server's version and options, and the schema."""
    said = (
        version,
        *(f"{name}={value}" for name, value in sorted(OPTIONS.items())),
        *(f"{each.number} {each.name} {each.digest}" for each in migrations.migrations()),
        *sorted(migrations.generated().values()),
    )
    return hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest()


def find(wheel: Wheel) -> Path | None:
    """The database's folder; None where none was made for this server and schema."""
    place = _place(wheel)
    return place if place.is_dir() else None


def make(wheel: Wheel) -> Path:
    """Make it, in place of those that were made before.

    Raises
    ------
    StoreUnavailableError
        The server does not start; what it said last is in the message.
    DiskError
        There is no room for it (twice 60 MB), or no right to write.
    """
    place = _place(wheel)
    drafts.sweep(wheel.home, _STEM)
    try:
        with drafts.DraftFolder(wheel.home, _STEM) as folder:
            settings = StoreSettings(folder / "store")
            try:
                asyncio.run(_migrated(settings))
            finally:
                embedded.stop(settings)
            for old in wheel.home.glob(f"{_STEM}-*"):
                shutil.rmtree(old)
            (settings.data_dir / "server" / "databases" / DATABASE).rename(place)
    except OSError as error:
        raise DiskError(
            f"{place} cannot be written: {error.strerror}.", "New data directories do without it."
        ) from error
    return place


def _place(wheel: Wheel) -> Path:
    return wheel.home / f"{_STEM}-{fingerprint(wheel.version)}"


async def _migrated(settings: StoreSettings) -> None:
    """Have a server of this data directory make the schema."""
    seat = await asyncio.to_thread(embedded.join, settings)
    owner = claims.Owner()
    try:
        line = await Line.open(Address(seat.uri, seat.user, seat.secret, DATABASE, log=seat.log))
        try:
            await migrations.migrate(line, owner)
        finally:
            await line.close()
    finally:
        owner.leave()


if __name__ == "__main__":
    raise SystemExit(made_or_told(make))
