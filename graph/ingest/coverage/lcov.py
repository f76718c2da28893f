"""lcov tracefiles, with the names of tests where they have them (geninfo(1), "FILES")."""

from __future__ import annotations

from graph.errors import RecordingError
from graph.ingest.coverage.covered import Format, Gathering, Report, number, text_of

_IGNORED = (
    *("FN", "FNDA", "FNF", "FNH", "FNL", "FNA", "BRDA", "BRF", "BRH", "LF", "LH"),
    *("VER", "MCDC", "MCF", "MRF", "MCH", "COMMENT"),
)
"""Functions, branches, sums and versions: lines alone say what ran."""


def read(data: bytes) -> Report:
    """The executed lines of a tracefile.

    Raises
    ------
    RecordingError
        It is no tracefile, or it is cut off.
    """
    found = Gathering(Format.LCOV)
    test = path = ""
    for place, line in enumerate(text_of(data, Format.LCOV).splitlines(), 1):
        where = f"line {place}"
        key, colon, value = line.strip().partition(":")
        if key == "end_of_record":
            path = ""
        elif key == "TN" and colon:
            test = value.split(",")[0].strip()
        elif key == "SF" and colon and value:
            path = value
        elif key == "DA" and colon:
            _executed(found, test, path, value, where)
        elif key and not key.startswith("#") and not (colon and key in _IGNORED):
            raise RecordingError(
                f"{line[:60]!r} is no line of an lcov tracefile ({where}).", "It is damaged."
            )
    if path:
        raise RecordingError("The lcov tracefile ends within a record.", "It is cut off; make it again.")
    return found.report()


def _executed(found: Gathering, test: str, path: str, value: str, where: str) -> None:
    line, comma, count = value.partition(",")
    if not path or not comma:
        raise RecordingError(f"An lcov tracefile says {value[:40]!r} of no file ({where}).", "It is damaged.")
    times = count.partition(",")[0].strip()
    # lcov writes negative counts where a compiler's counter ran over: the line was executed.
    if times.startswith("-") or number(times, Format.LCOV, where):
        found.add(test, path, number(line, Format.LCOV, where), where)
