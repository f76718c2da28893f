"""The schema: every topic put together. `api/schema.graphql` is what it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry

from api.graphql.execution import Execution
from api.graphql.impact import Impact, resolve_impact
from api.graphql.limits import Deadline, extensions
from api.graphql.nodes import Nodes, Search, resolve_node, resolve_search
from api.graphql.paths import Paths, resolve_path
from api.graphql.repositories import IndexedRepository, resolve_repositories
from api.graphql.reviewers import Reviewers, resolve_reviewers
from api.graphql.tests import TestSelection, resolve_test_selection


def _question(resolver: Callable[..., Any], description: str) -> Any:
    return strawberry.field(resolver=resolver, description=description, extensions=[Deadline()])


@strawberry.type(description="Questions. Every answer carries the head that it was computed at.")
class Query:
    """The root of every query."""

    impact: Impact = _question(resolve_impact, "What a change, a symbol or a line reaches, with proofs.")
    test_selection: TestSelection = _question(
        resolve_test_selection, "The tests that a change can alter, each with its reasons."
    )
    reviewers: Reviewers = _question(
        resolve_reviewers, "Who should review a change, and whose approval the rules demand."
    )
    node: Nodes = _question(resolve_node, "The nodes that a name, key or line means.")
    path: Paths = _question(resolve_path, "The shortest proofs between two symbols.")
    search: Search = _question(resolve_search, "Nodes whose name fits.")
    repositories: list[IndexedRepository] = _question(resolve_repositories, "What is indexed.")


schema = strawberry.Schema(query=Query, extensions=extensions(), execution_context_class=Execution)
