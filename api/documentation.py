"""Pages and files that follow from the code: `python -m api.documentation` writes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from api.documents import DOCUMENTS, Document
from api.failures import INTERRUPTED, TABLE, UNHEALTHY
from api.reports.findings import Report
from api.review_documents import Reviewers
from api.settings import PREFIX, Settings
from graph.schema import EDGES, NODES, TIER_OF, EdgeSpec, Tier

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = "<!-- Written by `make schema` from the code; change it there. -->\n\n"

_TIERS = {
    Tier.EXACT: "The text names its target: an import, a name bound once, a function called by that name.",
    Tier.TYPED: "The target follows from the type of what it is looked up on.",
    Tier.HIERARCHY: "An override of a resolved target, or what a protocol or table may lead to.",
    Tier.NAME: "The only definition of that name, and nothing else speaks for it.",
    Tier.AMBIGUOUS: "One of several definitions of that name.",
}


def schema_page() -> str:
    """docs/schema.md: every kind of node and hyperedge."""
    lines = [
        "# The schema\n\n", WRITTEN,
        "A hyperedge is a node of its own: `(:Symbol {key})-[:IN {role}]->(:Calls {id})`. It ties any number of\n",
        "nodes together, each in a role. Impact leaves from the role that is depended upon and enters the role that\n",
        "depends. *State* holds from one run to another; a *ledger* is only ever added to. Kinds that are reserved\n",
        "have their place in keys and constraints already; nothing writes them yet.\n\n",
        "## Nodes\n\n| kind | what it is | key | properties | |\n|---|---|---|---|---|\n",
    ]  # fmt: skip
    for node in NODES.values():
        standing = "" if node.live else "reserved"
        lines.append(
            f"| {node.kind} | {node.sentence} | {node.key} | {', '.join(node.props)} | {standing} |\n"
        )
    lines.append("\n## Hyperedges\n\n")
    lines.append(
        "| kind | what it says | roles | impact | key | family | class | |\n|---|---|---|---|---|---|---|---|\n"
    )
    lines += [_edge_row(edge) for edge in EDGES.values()]
    lines.append(
        "\n## Tiers\n\nHow sure a dependency is, surest first. A cone follows the first three by default.\n\n"
    )
    lines.append("| tier | meaning | said by |\n|---|---|---|\n")
    for tier, meaning in _TIERS.items():
        said = "; ".join(
            f"{resolver}: {what}" for (resolver, what), given in TIER_OF.items() if given is tier
        )
        lines.append(f"| {tier} | {meaning} | {said} |\n")
    return "".join(lines)


def _edge_row(edge: EdgeSpec) -> str:
    roles = "; ".join(
        f"{role.name}{'' if role.required else ' (optional)'}{', many' if role.many else ''}: "
        + " or ".join(role.kinds)
        for role in edge.roles
    )
    impact = ", ".join(f"{leaves} → {enters}" for leaves, enters in edge.impact)
    standing = "" if edge.live else "reserved"
    cells = (edge.kind, edge.sentence, roles, impact, edge.key, edge.family, edge.cls, standing)
    return f"| {' | '.join(cells)} |\n"


def settings_page() -> str:
    """docs/settings.md: every setting."""
    lines = [
        "# Settings\n\n", WRITTEN,
        "All settings are environment variables, read once at the start. An empty one counts as not set; one that\n",
        "cannot be used, or whose name means nothing, is an error and never passed over.\n\n",
        "| variable | default | what it sets |\n|---|---|---|\n",
    ]  # fmt: skip
    for entry in fields(Settings):
        shown, sentence = entry.metadata["shown"], entry.metadata["sentence"]
        lines.append(f"| `{PREFIX}{entry.name.upper()}` | {shown} | {sentence} |\n")
    lines += [
        "\n`NO_COLOR` (any value) takes the colours away. Tests read variables that begin with `MAESTRO_TEST_` and\n",
        "none of the above: `MAESTRO_TEST_NEO4J_URI` names a Neo4j that they may fill and empty.\n",
    ]
    return "".join(lines)


def failures_page() -> str:
    """docs/failures.md: exit codes, HTTP statuses and GraphQL codes."""
    lines = [
        "# When something goes wrong\n\n", WRITTEN,
        "Every error says what was wrong, where, and what to do. One table gives it a code:\n\n",
        "| code | exit code | HTTP | GraphQL | meaning |\n|---|---|---|---|---|\n",
    ]  # fmt: skip
    for kind, failure in TABLE.items():
        cells = (
            f"`{kind.code}`",
            str(failure.exit_code),
            str(failure.status),
            failure.code,
            failure.sentence,
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    lines += [
        f"\nBesides: 0 when all went well, {UNHEALTHY} when `maestro doctor` found something wrong, and\n",
        f"{INTERRUPTED} after ctrl-C; what was interrupted goes on where it stopped. With `--json` an error is a\n",
        "document too (docs/json.md). What Maestro did not foresee is written to `logs/failures.log` in its data\n",
        "folder under an id, without passwords; the answer names only the id. `MAESTRO_DEBUG=1` shows the rest.\n",
    ]
    return "".join(lines)


def json_page() -> str:
    """docs/json.md: the documents that `--json` prints."""
    shapes: tuple[type[Document], ...] = (*DOCUMENTS[:-1], Reviewers, Report, DOCUMENTS[-1])
    schemas, parts = msgspec.json.schema_components(shapes, ref_template="#{name}")
    lines = [
        "# Documents for programs\n\n", WRITTEN,
        'Every command with `--json` prints one document: `{"maestro": {"shape": ..., "version": ...}, ...}` and the\n',
        "fields below. Within a version fields are only added. An error is a document too, of shape `error`, and the\n",
        "exit code is not 0 then.\n\n",
    ]  # fmt: skip
    for document, _ in zip(shapes, schemas, strict=True):
        part = parts[document.__name__]
        lines.append(
            f"## {document.SHAPE}, version {document.VERSION}\n\n{part['description']}\n\n{_fields(part)}\n"
        )
    lines.append("## Parts\n\n")
    for name in sorted(parts.keys() - {document.__name__ for document in shapes}):
        lines.append(f"### {name}\n\n{parts[name]['description']}\n\n{_fields(parts[name])}\n")
    return "".join(lines)


def _fields(part: dict[str, Any]) -> str:
    lines = ["| field | type | |\n|---|---|---|\n"]
    for name, spec in part["properties"].items():
        lines.append(f"| `{name}` | {_type(spec)} | {spec.get('description', '')} |\n")
    return "".join(lines)


def _type(spec: dict[str, Any]) -> str:
    for key in ("allOf", "anyOf"):
        if key in spec:
            return " or ".join(_type(each) for each in spec[key])
    if "$ref" in spec:
        name = spec["$ref"].removeprefix("#")
        return f"[{name}](#{name.lower()})"
    if spec.get("type") == "array":
        if "prefixItems" in spec:
            return f"[{', '.join(_type(each) for each in spec['prefixItems'])}]"
        return f"list of {_type(spec['items'])}"
    if spec.get("type") == "object":
        return f"map to {_type(spec['additionalProperties'])}"
    return str(spec.get("type", ""))


def graphql_file() -> str:
    """api/schema.graphql."""
    from api.graphql.schema import schema

    return schema.as_str() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/schema.md": schema_page,
    "docs/settings.md": settings_page,
    "docs/failures.md": failures_page,
    "docs/json.md": json_page,
    "api/schema.graphql": graphql_file,
}


def main(arguments: list[str]) -> int:
    """Write all of them, or with `--check` name those that are out of step."""
    stale = []
    for name, make in PAGES.items():
        place, text = ROOT / name, make()
        if place.exists() and place.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            place.write_text(text, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name} {'is out of step: make schema' if '--check' in arguments else 'written'}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
