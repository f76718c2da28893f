"""Completing lists of plain objects by a plan: what a selection asks of a type is worked out once.

The executor of graphql-core goes through every field of every item anew: its definition, its arguments, its
type, its path. Answers here are long lists of objects that only hold values, so a plan is made of the
selection, which takes the values out. The result is what the executor's own way gives ("Value Completion" in
the GraphQL specification); where a plan does not do, or meets a value that does not fit, that way is taken,
which also finds the words for an error and its place.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLObjectType,
    GraphQLString,
    Undefined,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from api.sharing import once

Complete = Callable[[Any], Any]
_EXACT: dict[str, type] = {GraphQLString.name: str, GraphQLID.name: str, GraphQLBoolean.name: bool}
"""What these scalars hand out as it is."""


class _Unfit(Exception):
    """A value that is not what its type says, or a selection that is not planned."""


class Execution(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which completes lists by plans."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans: dict[tuple[str, int], tuple[Any, Complete | None]] = {}

    def complete_list_value(
        self,
        return_type: Any,
        field_details_list: Any,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """By a plan where there is one, else as graphql-core does it."""
        plan = self._planned(return_type.of_type, field_details_list) if type(result) is list else None
        if plan is not None:
            try:
                return [plan(item) for item in result]
            except Exception:  # noqa: S110 - met again on the long way, which says what and where
                pass
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def _planned(self, item_type: Any, selected: Any) -> Complete | None:
        """How items are completed; the selection is kept, so that its identity stays its own."""
        key = str(item_type), id(selected)
        found = self._plans.get(key)
        if found is None:
            try:
                plan: Complete | None = self._plan(item_type, selected)
            except _Unfit:
                plan = None
            found = self._plans[key] = selected, plan
        return found[1]

    def _plan(self, kind: Any, selected: Any) -> Complete:
        if is_non_null_type(kind):
            return _present(self._plan(kind.of_type, selected))
        if is_list_type(kind):
            return _each(self._plan(kind.of_type, selected))
        if is_leaf_type(kind):
            return _leaf(kind)
        if is_object_type(kind) and kind.is_type_of is None:
            return self._object(kind, selected)
        raise _Unfit

    def _object(self, kind: GraphQLObjectType, selected: Any) -> Complete:
        fields, deferred, _ = self.collect_subfields(kind, selected)
        if deferred:
            raise _Unfit
        taken = []
        for name, details in fields.items():
            definition = _plain(self.schema.get_field(kind, details[0].node.name.value))
            attribute = definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name
            taken.append((name, attrgetter(attribute), self._plan(definition.type, details)))
        described = once(lambda item: {name: complete(get(item)) for name, get, complete in taken})
        return lambda item: None if item is None else described(item)


def _plain(definition: GraphQLField | None) -> GraphQLField:
    """A field that is nothing but a value of its object."""
    if definition is None or definition.args:
        raise _Unfit
    ours = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(ours, StrawberryField) or not ours.is_basic_field:
        raise _Unfit
    return definition


def _present(complete: Complete) -> Complete:
    def completed(value: Any) -> Any:
        if value is None:
            raise _Unfit
        return complete(value)

    return completed


def _each(complete: Complete) -> Complete:
    def completed(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            raise _Unfit
        return [complete(item) for item in value]

    return completed


def _leaf(kind: Any) -> Complete:
    exact = _EXACT.get(kind.name)
    known: dict[Any, Any] | None = {} if is_enum_type(kind) else None

    def completed(value: Any) -> Any:
        if value is None or type(value) is exact:
            return value
        if known is None:
            return _coerced(kind, value)
        found = known.get(value)
        if found is None:
            found = known[value] = _coerced(kind, value)
        return found

    return completed


def _coerced(kind: Any, value: Any) -> Any:
    coerced = kind.coerce_output_value(value)
    if coerced is None or coerced is Undefined:
        raise _Unfit
    return coerced
