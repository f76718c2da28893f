"""Begins the recording of a Python process that a recorded test started; see `pytest_maestro.child`.

Python imports this at its start from the first folder that has it. The project's own one, if there is any,
is imported in its place afterwards.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _begin() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    if os.environ.get("MAESTRO_RECORDING_CHILD"):
        try:
            from pytest_maestro import child
        except ImportError:  # another environment: the recording says that this process was not followed
            return
        child.begin()


def _hand_over() -> None:
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_begin()
_hand_over()
