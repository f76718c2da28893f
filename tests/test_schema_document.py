"""Pages and files that follow from the code are in step with it."""

from __future__ import annotations

import pytest

from api.documentation import PAGES, ROOT
from api.documents import DOCUMENTS


@pytest.mark.parametrize("name", PAGES)
def test_page_is_in_step(name):
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make schema`"


def test_every_kind_and_every_field_is_described():
    page = PAGES["docs/json.md"]()
    blank = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not blank
    assert all(f"## {document.SHAPE}, version" in page for document in DOCUMENTS)


def test_every_graphql_field_is_described():
    from graphql import is_enum_type, is_object_type

    from api.graphql.schema import schema

    missing = []
    for name, kind in schema._schema.type_map.items():
        if name.startswith("__") or not (is_object_type(kind) or is_enum_type(kind)):
            continue
        if not kind.description:
            missing.append(name)
        if is_object_type(kind):
            for field, spec in kind.fields.items():
                missing += [] if spec.description else [f"{name}.{field}"]
                missing += [f"{name}.{field}({arg})" for arg, at in spec.args.items() if not at.description]
    assert not missing
