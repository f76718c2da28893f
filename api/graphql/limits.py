"""What a request may not do: be endless, be huge, or learn of failures that are not its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
from graphql import GraphQLError
from strawberry.extensions import MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter, SchemaExtension
from strawberry.extensions.field_extension import FieldExtension

from api.failures import failure_of, masked
from graph.errors import AmbiguousError, DeadlineError, MaestroError

DEPTH = 12
"""Levels of a query; the deepest useful one (impact, reached, proof, source, owners) has five."""
ALIASES = 16
TOKENS = 2_000


class Telling(SchemaExtension):
    """Gives errors of ours their code, hint and candidates; logs and masks all others."""

    def on_operation(self) -> Iterator[None]:
        """Rewrite what the operation ended with."""
        yield
        result: Any = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            result.errors = [self._told(error) for error in result.errors]

    def _told(self, error: GraphQLError) -> GraphQLError:
        cause = error.original_error
        if cause is None:  # a query that does not parse or fit the schema: the caller's own words
            return _rewritten(error, error.message, {"code": "BAD_QUERY"})
        if isinstance(cause, GraphQLError):
            return _rewritten(error, error.message, {"code": "BAD_QUERY"})
        ours = cause if isinstance(cause, MaestroError) else _foreign(cause, self)
        extensions: dict[str, Any] = {"code": failure_of(ours).code, "hint": ours.hint}
        if isinstance(ours, AmbiguousError):
            extensions["candidates"] = list(ours.candidates)
        return _rewritten(error, ours.message, extensions)


def _foreign(cause: BaseException, extension: SchemaExtension) -> MaestroError:
    if isinstance(cause, TimeoutError):
        return DeadlineError(
            "The question took longer than it may.", "Ask for less, or raise MAESTRO_DEADLINE."
        )
    context = extension.execution_context.context
    return masked(cause, context.settings)


def _rewritten(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)


class Deadline(FieldExtension):
    """Ends a question that is late, in case its computation does not look at the clock itself."""

    async def resolve_async(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        """Run a resolver for as long as the request has."""
        with anyio.fail_at(info.context.ends):
            return await next_(source, info, **kwargs)


def extensions() -> list[Any]:
    """All limits, as the schema takes them."""
    return [
        lambda: QueryDepthLimiter(max_depth=DEPTH),
        lambda: MaxAliasesLimiter(max_alias_count=ALIASES),
        lambda: MaxTokensLimiter(max_token_count=TOKENS),
        Telling,
    ]
