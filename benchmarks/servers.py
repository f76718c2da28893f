"""Servers that benchmarks run on: the embedded one, or a Neo4j that the tests know how to start.

Each has a data directory of its own, which is removed with it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from graph.settings import StoreSettings

SERVERS = ("embedded", "neo4j")
_STARTER = Path(__file__).resolve().parent.parent / "tests" / "servers" / "servers_under_test.py"


def _starter() -> ModuleType:
    """The module that starts servers for tests, which is in no package."""
    known = sys.modules.get(_STARTER.stem)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(_STARTER.stem, _STARTER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_STARTER.stem] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def running(name: str, folder: Path, heap: str = "2g") -> Iterator[StoreSettings]:
    """Settings of a server that is up until the block ends.

    Parameters
    ----------
    name : str
        `embedded` or `neo4j`; the latter is fetched by Maven and needs a Java runtime.
    folder : Path
        An empty folder for its data.
    heap : str
        Largest Java heap, as `-Xmx` takes it.
    """
    made = _starter().make({"MAESTRO_TEST_SERVER": name}, folder)
    if name == "embedded":
        made = _starter().Embedded(folder, heap=heap)
    else:
        made = _starter().Neo4j(folder, heap=heap)
    try:
        made.start()
        yield made.settings
    finally:
        made.stop()
