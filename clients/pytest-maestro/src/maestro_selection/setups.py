"""The call of `setup` in a `setup.py`, read without running it."""

from __future__ import annotations

import ast
from typing import Any

from maestro_selection.requirements import ManifestError


def arguments(text: str) -> tuple[dict[str, tuple[str, Any]], str]:
    """The named arguments of the one call of `setup`, and all the rest of the file in one form.

    Of each argument: its expression in one form, and its value where it is written out, else None.

    Raises
    ------
    ManifestError
        When there is no such call or more than one, or the file is no Python.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError) as error:
        raise ManifestError(f"it is no Python: {error}") from error
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _named(node) == "setup"]
    if len(calls) != 1:
        raise ManifestError(f"it calls setup {len(calls)} times")
    call = calls[0]
    found = {each.arg: (ast.dump(each.value), _value(each.value)) for each in call.keywords if each.arg}
    call.keywords = [each for each in call.keywords if not each.arg]
    return found, ast.dump(module)


def _named(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
