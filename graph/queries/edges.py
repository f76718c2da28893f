"""Dependencies as rows of places, for programs: who depends on what, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import dependencies
from graph.assembly import EDGE_CODE
from graph.errors import InputError
from graph.incidence import Incidence
from graph.schema import EDGES, TIERS, EdgeKind, Form, Tier

_FORMS = tuple(Form)
_PART = 4096


class Row(NamedTuple):
    """One dependency: a place and what it depends on, by the first lines of both definitions.

    For calls: caller and callee. A first line is that of the first decorator (1-based; 0 for a
    node that no file contains). `override` says that the callee stands in for what the call names.
    """

    path: str
    line: int
    on_path: str
    on_line: int
    tier: Tier
    form: Form
    override: bool

    @property
    def short(self) -> tuple[str, int, str, int, str]:
        """[caller file, caller's first line, callee file, callee's first line, tier]."""
        return (self.path, self.line, self.on_path, self.on_line, self.tier.value)


def exported_kind(text: str) -> EdgeKind:
    """The kind of hyperedge that a word names (`calls`, `Calls`, `co-changed`).

    Raises
    ------
    InputError
        Where no kind that impact follows is called so.
    """
    kinds = {kind.value.casefold(): kind for kind, spec in EDGES.items() if spec.impact and spec.live}
    folded = text.replace("-", "").replace("_", "").casefold()
    if folded not in kinds:
        raise InputError(f"{text!r} is no kind of dependency.", f"Known are {', '.join(sorted(kinds))}.")
    return kinds[folded]


def rows(incidence: Incidence, kind: EdgeKind, *, overrides: bool = True) -> Iterator[Row]:
    """Every dependency of a kind, by the dependent's path and line.

    With `overrides` a virtual call also leads to what overrides its callees, however far below,
    at tier hierarchy. A pair may occur at several tiers or forms, as different facts say it.
    """
    near, far, edges, tiers, beside = _pairs(incidence, kind, overrides)
    paths, rank, line = [*incidence.paths, ""], incidence.path_ranks(), incidence.line
    first, second = ((line[side], rank[incidence.path_id[side]]) for side in (near, far))
    order = np.lexsort((tiers, second[0], second[1], first[0], first[1]))
    forms = incidence.form[edges]
    for at in range(0, len(order), _PART):
        part = order[at : at + _PART]
        columns = [column[part].tolist() for column in (near, far, tiers, forms, beside)]
        for source, target, tier, form, override in zip(*columns, strict=True):
            yield Row(
                paths[incidence.path_id[source]],
                max(0, int(incidence.line[source])),
                paths[incidence.path_id[target]],
                max(0, int(incidence.line[target])),
                TIERS[tier],
                _FORMS[form],
                override,
            )


Pairs = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_]]


def _pairs(incidence: Incidence, kind: EdgeKind, overrides: bool) -> Pairs:
    """Dependents, dependencies, hyperedges, tiers, and whether through an override."""
    if kind is EdgeKind.OVERRIDES:
        chain = incidence.overriding()
        plain = np.zeros(len(chain.edge), np.bool_)
        return chain.method, chain.base, chain.edge, chain.tier, plain
    found = dependencies(incidence)
    chosen = incidence.edge_kind[found.edge] == EDGE_CODE[kind]
    near, far, edges, tiers = (
        column[chosen] for column in (found.enters, found.leaves, found.edge, found.tier)
    )
    beside = np.zeros(len(edges), np.bool_)
    if not overrides:
        return near, far, edges, tiers, beside
    lower, upper, links = incidence.overriding().closure()
    order = np.argsort(upper, kind="stable")
    lower, upper, links = lower[order], upper[order], links[order]
    called = np.flatnonzero(incidence.virtual[edges])
    first = np.searchsorted(upper, far[called])
    counts = np.searchsorted(upper, far[called], side="right") - first
    calls = np.repeat(called, counts)
    ends = np.cumsum(counts)
    at = np.repeat(first - ends + counts, counts) + np.arange(int(ends[-1]) if len(ends) else 0)
    return (
        np.concatenate((near, near[calls])),
        np.concatenate((far, lower[at])),
        np.concatenate((edges, edges[calls])),
        np.concatenate((tiers, np.maximum(tiers[calls], links[at]))),
        np.concatenate((beside, np.ones(len(at), np.bool_))),
    )
