"""A report as SARIF 2.1.0 (OASIS standard, 2020), which code hosts and editors show beside the lines.

Results are notes, never errors: that something is reached is no fault. Each carries the proof as a
code flow. Braces and brackets of names are escaped as the standard's message strings ask (3.11).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import msgspec

from api import __version__
from api.documents import Reached, Step, Symbol
from api.rendering import plural, printable, title
from api.reports.findings import Findings

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST = 5_000
"""Results that a run may have on common hosts; what is left out is said."""

RULES = {
    "maestro/changed": ("Changed", "A symbol that the change makes run differently."),
    "maestro/reached": ("Reached", "A symbol that depends on what changed."),
    "maestro/test": ("Test", "A test that the change reaches."),
    "maestro/thin-knowledge": ("Thin knowledge", "A changed file that one person alone knows."),
    "maestro/approval": ("Approval", "A changed file whose rules demand somebody's approval."),
}
_ESCAPES = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})
_PLACES = {rule: place for place, rule in enumerate(RULES)}


def write_sarif(findings: Findings) -> str:
    """The whole report as JSON text."""
    results = list(_results(findings))
    notes = [*findings.notes]
    if len(results) > MOST:
        notes.append(f"{plural(len(results) - MOST, 'result')} were left out.")
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "automationDetails": {"id": f"maestro/{quote(findings.impact.repository, safe='')}/"},
                "originalUriBaseIds": {"SRCROOT": {"description": _message("The repository's root.")}},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": _message(note)} for note in notes
                        ],
                    }
                ],
                "properties": {"base": findings.impact.base, "head": findings.impact.head},
                "results": results[:MOST],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=1).decode()


def _driver() -> dict[str, Any]:
    rules = [
        {
            "id": rule,
            "name": name.replace(" ", ""),
            "shortDescription": _message(sentence),
            "defaultConfiguration": {"level": "note"},
        }
        for rule, (name, sentence) in RULES.items()
    ]
    return {"name": "Maestro", "version": __version__, "rules": rules}


def _results(findings: Findings) -> Iterator[dict[str, Any]]:
    for changed in findings.impact.changed:
        text = f"{title(changed.symbol)} changed: {', '.join(changed.reasons) or 'asked about'}."
        yield _result("maestro/changed", changed.symbol.key, text, changed.symbol)
    yield from _tests(findings)
    for entry in sorted(findings.impact.reached, key=lambda entry: entry.distance):
        text = f"{title(entry.symbol)} is reached in {plural(entry.distance, 'step')}, {entry.tier}."
        yield _result("maestro/reached", entry.symbol.key, text, entry.symbol) | _flow(entry)
    if findings.reviewers is None:
        return
    for risk in findings.reviewers.at_risk:
        known = ", ".join(printable(who.name) for who in risk.known_to) or "nobody"
        file = Symbol(key=risk.path, kind="File", name=risk.path, path=risk.path)
        yield _result("maestro/thin-knowledge", risk.path, f"Only {known} knows this file.", file)
    for rule_of in findings.reviewers.obligations:
        owners = ", ".join(map(printable, rule_of.owners))
        text = f"{printable(rule_of.file)}:{rule_of.line} demands the approval of {owners}."
        for path in rule_of.files:
            file = Symbol(key=path, kind="File", name=path, path=path)
            yield _result("maestro/approval", f"{path} {rule_of.line}", text, file)


def _tests(findings: Findings) -> Iterator[dict[str, Any]]:
    """Selected tests, with the proof of the cone where it has one."""
    proofs = {f"{entry.symbol.path}::{entry.symbol.name}": entry for entry in findings.impact.tests}
    for test in findings.tests.selected:
        entry = proofs.get(test.test.partition("[")[0])
        path, _, name = test.test.partition("::")
        symbol = entry.symbol if entry else Symbol(key=test.test, kind="Test", name=name or path, path=path)
        why = "; ".join(" -> ".join(steps) for steps in test.reasons[:2]) or "the change may alter it"
        result = _result("maestro/test", test.test, f"Run {printable(test.test)}: {why}.", symbol)
        yield result | (_flow(entry) if entry else {})


def _result(rule: str, key: str, text: str, symbol: Symbol) -> dict[str, Any]:
    identity = blake2b(f"{rule} {key}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": _PLACES[rule],
        "level": "note",
        "kind": "fail",
        "message": _message(text),
        "locations": [{"physicalLocation": _physical(symbol.path, symbol.line)}],
        "partialFingerprints": {"maestro/v1": identity},
    }


def _flow(entry: Reached) -> dict[str, Any]:
    """The proof, from what changed to what is reached."""
    if not entry.proof:
        return {}
    first = entry.proof[0]
    locations = [_location(first.source.path, first.source.line, f"{title(first.source)} changed.")]
    locations += [_location(*_site(step), f"{step.edge}: {title(step.target)}.") for step in entry.proof]
    return {"codeFlows": [{"threadFlows": [{"locations": [{"location": each} for each in locations]}]}]}


def _site(step: Step) -> tuple[str, int]:
    return (step.path, step.line) if step.path else (step.target.path, step.target.line)


def _location(path: str, line: int, text: str) -> dict[str, Any]:
    return {"physicalLocation": _physical(path, line), "message": _message(text)}


def _physical(path: str, line: int) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(path), "uriBaseId": "SRCROOT"}}
    # A region is optional; where a thing stands on no line the file alone is named.
    return location | ({"region": {"startLine": line}} if line > 0 else {})


def _uri(path: str) -> str:
    """A path as a relative reference (RFC 3986): bytes that are no plain letters are percent-encoded."""
    try:
        return quote(os.fsencode(path), safe="/")
    except UnicodeEncodeError:
        return quote(path.encode("utf-8", "replace"), safe="/")


def _message(text: str) -> dict[str, str]:
    return {"text": printable(text)[:1_000].translate(_ESCAPES)}
