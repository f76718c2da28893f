"""XML as reports use it, read as a stream by expat, with nothing in it that could do harm.

A document type is skipped, as JaCoCo's reports have one; but no entity may be declared, nothing outside is
ever fetched, and depth and size have bounds. So there is nothing to expand and nothing to reach out to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from graph.errors import RecordingError
from graph.ingest.coverage.covered import LARGEST, Format

DEEPEST = 64
LONGEST = 1 << 20
"""Characters of one attribute."""

Begin = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]


def walk(data: bytes, format: Format, begin: Begin, end: End) -> None:
    """Call `begin` with each element's local name and attributes, and `end` after it.

    Raises
    ------
    RecordingError
        It is not well formed, too deep or too large, or declares entities.
    """
    if len(data) > LARGEST:
        raise RecordingError(
            f"The {format} report is larger than {LARGEST >> 20} MB.", "Make one report a part of the tests."
        )
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    depth = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST or any(len(value) > LONGEST for value in attributes.values()):
            raise RecordingError(f"The {format} report is nested too deeply or too wide.", "It is damaged.")
        begin(name.rpartition(":")[2], attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(":")[2])

    def refused(*_: object) -> None:
        raise RecordingError(
            f"The {format} report declares XML entities, which are never expanded.", "Make it without them."
        )

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.EntityDeclHandler = refused
    parser.UnparsedEntityDeclHandler = refused
    parser.ExternalEntityRefHandler = None
    parser.SkippedEntityHandler = refused
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise RecordingError(
            f"The {format} report is no whole XML: {error}.", "It is damaged or cut off; make it again."
        ) from error
    except (UnicodeDecodeError, LookupError, ValueError) as error:
        raise RecordingError(
            f"The {format} report is in an encoding that cannot be read: {error}.", "Write it in UTF-8."
        ) from error
