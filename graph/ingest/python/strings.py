"""Names written as strings, where the function or variable that gets them is one that reads names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from graph.ingest.python.traits import Key, Text, Value

TAKERS: dict[str, str] = {
    "import_module": "import",
    "__import__": "import",
    "import_string": "name",
    "import_object": "name",
    "import_from_string": "name",
    "load_object": "name",
    "symbol_by_name": "name",
    "resolve_name": "name",
    "locate": "name",
    "importorskip": "import",
    "include": "import",
    "include_router": "import",
    "autodiscover_modules": "import",
    "autodiscover_tasks": "import",
    "getattr": "attribute",
    "methodcaller": "method",
    "setattr": "patch",
    "delattr": "patch",
    "patch": "patch",
    "object": "patch",
    "multiple": "patch",
    "dict": "patch",
    "setitem": "patch",
    "delitem": "patch",
    "spy": "patch",
    "stub": "patch",
    "getfixturevalue": "fixture",
    "getfuncargvalue": "fixture",
    "run": "server",
}
"""Last name of a function that reads a name from a string -> what kind of name that is."""

VARIABLES = frozenset(
    [
        "INSTALLED_APPS",
        "MIDDLEWARE",
        "MIDDLEWARE_CLASSES",
        "ROOT_URLCONF",
        "WSGI_APPLICATION",
        "ASGI_APPLICATION",
        "AUTHENTICATION_BACKENDS",
        "DATABASE_ROUTERS",
        "FORM_RENDERER",
        "PASSWORD_HASHERS",
        "SESSION_ENGINE",
        "TEST_RUNNER",
        "TEMPLATES",
        "CACHES",
        "DATABASES",
        "CELERY_IMPORTS",
        "CELERY_INCLUDE",
        "imports",
        "include",
        "default_app_config",
        "pytest_plugins",
        "collect_ignore",
        "collect_ignore_glob",
    ]
)
"""Variables whose strings a framework (Django, Celery, pytest) imports."""

_PATCHERS = frozenset({"patch", "object", "multiple", "dict", "spy", "stub"})


def literals(node: ast.expr) -> Iterator[tuple[int, str]]:
    """(line, text) of the strings in a literal, nested ones too."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.lineno, node.value
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for element in node.elts:
            yield from literals(element)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from literals(value)
    elif isinstance(node, ast.BinOp):
        yield from literals(node.left)
        yield from literals(node.right)


def taken(place: int, callee: str, node: ast.Call, arguments: Sequence[tuple[Key, Value]]) -> Iterator[Text]:
    """The names that a call hands over as strings."""
    last = callee.rpartition(".")[2]
    kind = TAKERS[last]
    if kind == "patch" and last in _PATCHERS and "patch" not in callee and "mock" not in callee:
        return
    receiver = ""
    for key, value in arguments:
        if key == 0 and type(value) is str:
            receiver = value
    texts = [
        argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""
        for argument in node.args[:2]
    ]
    first, second = (*texts, "", "")[:2]
    if kind in ("attribute", "patch") and receiver and second:
        yield Text(place, node.lineno, callee, second, receiver)
    elif kind == "patch" and last == "multiple":
        for keyword in node.keywords:
            if keyword.arg and (receiver or first):
                yield Text(place, node.lineno, callee, f"{first}.{keyword.arg}".strip("."), receiver)
    elif kind == "import":
        for argument in node.args[:1]:
            for line, text in literals(argument):
                yield Text(place, line, callee, text)
    elif first:
        yield Text(place, node.lineno, callee, first)
