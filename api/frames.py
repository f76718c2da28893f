"""Messages between the processes of one service: values, each behind a number and its length.

Values are pickled: both ends are this program, and the sockets are pairs that no other program can reach.
"""

from __future__ import annotations

import asyncio
import copyreg
import pickle
import socket
import struct
from typing import Any

from api import tables
from api.documents import Impact

_HEADER = struct.Struct("<QQ")
"""A number that the asking end chose, and how many bytes follow."""


def _tabled(found: Impact) -> str | tuple[Any, ...]:
    try:
        return tables.unpack, (tables.pack(found),)
    except UnicodeEncodeError:  # half a character, which a question may bring along
        return found.__reduce__()


copyreg.pickle(Impact, _tabled)


def packed(value: Any) -> bytes:
    """A value as bytes; impacts as tables."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpacked(data: bytes) -> Any:
    """The value that was packed."""
    return pickle.loads(data)  # noqa: S301 - from this program, see above


class Pipe:
    """One end of a socket pair, on the event loop that runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Pipe:
        """Take an end over, which is closed with the pipe."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    async def receive(self) -> tuple[int, bytes] | None:
        """The next message, its value `packed`; None where the other end is gone, in the midst of one too."""
        try:
            number, length = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            return number, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def send(self, number: int, data: bytes) -> None:
        """Send a message, its value `packed`; one to an end that is gone is lost."""
        try:
            self._writer.writelines([_HEADER.pack(number, len(data)), data])
            await self._writer.drain()
        except ConnectionError:
            return  # `receive` says so

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
