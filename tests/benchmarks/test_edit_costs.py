"""What an edit costs beside a full index: every kind is made and counted, and named in the figures."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from benchmarks.edit_costs import FULL, KINDS, Cost, Measuring, figures_of, table
from benchmarks.edits import Edited
from graph.facts import Scope
from graph.workspace import Workspace

pytestmark = pytest.mark.anyio

MODULE = """import {other}


def {name}(given):
    if given:
        return {other}.{called}(given)
    return given
"""


@pytest.fixture
def clone(tmp_path: Path) -> Edited:
    upstream = Edited(tmp_path / "upstream")
    upstream.path.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(upstream.path)], check=True)
    for count in (2, 6):
        for at in range(count):
            after = (at + 1) % count
            upstream.write(f"m{at}.py", MODULE.format(name=f"f{at}", other=f"m{after}", called=f"f{after}"))
        upstream.commit(f"{count} files")
    subprocess.run(["git", "clone", "-q", str(upstream.path), str(tmp_path / "clone")], check=True)
    return Edited(tmp_path / "clone")


async def test_every_kind_of_edit_is_measured(store, tmp_path, clone) -> None:
    scope = Scope(f"t{uuid.uuid4().hex[:8]}", "costs")
    measuring = Measuring(store, Workspace(tmp_path / "data"), scope, clone, False, lambda: 0.0)
    await measuring.measure(1, 1)
    costs = measuring.costs
    assert list(costs) == [FULL, *KINDS]
    assert costs["no_code"].facts == costs["no_code"].members == 0 and costs["no_code"].files == 1
    assert 0 < costs["one_line"].facts < costs[FULL].facts and costs["one_line"].files == 1
    assert costs["merge"].files == 6
    assert all(cost.own_s > 0 for cost in costs.values())
    shown = table(costs).splitlines()
    assert len(shown) == 2 + len(KINDS) and shown[1].rstrip().endswith("1.000")
    figures = figures_of(costs)
    assert {f"{kind}_ratio" for kind in KINDS} <= figures.keys()
    assert figures["merge_facts"] == costs["merge"].facts


def test_means_are_of_runs() -> None:
    total = Cost(2, 4, 6, 1.0, 2.0, 3.0) + Cost(4, 4, 6, 1.0, 0.0, 1.0)
    assert total.a_run(2) == Cost(3, 4, 6, 1.0, 1.0, 2.0)
    assert total.cpu_s == 8.0
