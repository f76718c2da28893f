"""Words for the steps of a proof. They stand apart, for who shows answers without computing any."""

from __future__ import annotations

from graph.schema import EdgeKind

DEPENDENT_WORDS = {
    EdgeKind.CALLS: "called by",
    EdgeKind.IMPORTS: "imported by",
    EdgeKind.REFERENCES: "read by",
    EdgeKind.INHERITS: "base of",
    EdgeKind.OVERRIDES: "overrides",
    EdgeKind.DECORATES: "decorates",
    EdgeKind.REGISTERS: "registered in",
    EdgeKind.PATCHES: "patched by",
    EdgeKind.PARAMETRIZES: "fixture of",
    EdgeKind.REALISES: "run by",
}
"""How a proof goes on from what is depended upon to what depends."""
DEPENDED_WORDS = {
    EdgeKind.CALLS: "calls",
    EdgeKind.IMPORTS: "imports",
    EdgeKind.REFERENCES: "reads",
    EdgeKind.INHERITS: "derives from",
    EdgeKind.OVERRIDES: "overridden by",
    EdgeKind.DECORATES: "decorated by",
    EdgeKind.REGISTERS: "registers",
    EdgeKind.PATCHES: "patches",
    EdgeKind.PARAMETRIZES: "is handed",
    EdgeKind.REALISES: "runs",
}
"""How it goes on the other way: from what depends to what is depended upon."""
