"""How what Maestro does grows with the graph, measured size by size and drawn.

    python -m benchmarks.scale_growth [CLONE] [--largest N] [--stored N] [--server NAME] [--svg FILE]

Arrays are measured up to --largest (10,000,000) incidences, the store up to --stored (100,000); the
graphs are those of `benchmarks.growth`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import neo4j

from benchmarks import bare, scale_arrays, scale_store
from benchmarks.cones import resolved
from benchmarks.drawing import Points, drawing
from benchmarks.figures import print_figures
from benchmarks.growth import copies_for, grow
from benchmarks.servers import SERVERS, running
from graph.incidence import Incidence
from graph.store import Store

HERE = Path(__file__).resolve().parent.parent
Curves = dict[str, list[tuple[float, float]]]


def sizes_to(base: Incidence, largest: int) -> list[int]:
    """Sizes in steps of about three, from the base's own to the largest."""
    found, size = [], len(base.member_node)
    while size < largest:
        found.append(size)
        size *= 3
    return [*found, largest]


def array_curves(base: Incidence, largest: int, folder: Path) -> Curves:
    """Cones, opening, saving and bytes, by incidences."""
    curves: Curves = {name: [] for name in ("p50", "p95", "max", "load", "save", "bytes")}
    for size in sizes_to(base, largest):
        grown = grow(base, copies_for(base, size))
        count, path = float(len(grown.member_node)), folder / "grown.arrays"
        grown.adjacency()
        begun = time.perf_counter()
        grown.save(path)
        curves["save"].append((count, (time.perf_counter() - begun) * 1e3))
        del grown
        incidence = Incidence.open(path)
        found = scale_arrays.cone_figures(incidence, "it", sample=300)
        for name in ("p50", "p95", "max"):
            curves[name].append((count, found[f"{name}_ms_it"]))
        del incidence
        time.sleep(1.0)
        scale_arrays.child("open", path)
        curves["load"].append((count, scale_arrays.child("open", path)["ms"]))
        curves["bytes"].append((count, path.stat().st_size / 1e6))
    return curves


async def store_curves(base: Incidence, largest: int, server: str, folder: Path) -> Curves:
    """Writing and building on a server of its own, by incidences, in seconds."""
    with running(server, folder / "server") as settings:
        async with Store.open(settings) as store:
            await store.migrate()
            with bare.driver_of(store) as driver:
                return await curves_on(store, driver, base, largest, folder)


async def curves_on(
    store: Store, driver: neo4j.Driver, base: Incidence, largest: int, folder: Path
) -> Curves:
    """Writing and building on an open store, by incidences, in seconds."""
    curves: Curves = {"write": [], "build": []}
    for size in sizes_to(base, largest):
        scope, written = await scale_store.write_figures(store, driver, base, size)
        built, more = await scale_store.build_figures(store, driver, scope, folder)
        count = float(len(built.member_node))
        curves["write"].append((count, written["write_s"]))
        curves["build"].append((count, more["build_s"]))
    return curves


def drawn(curves: Curves, server: str) -> str:
    """The three plots of docs/scale.md."""

    def chosen(*names: str) -> dict[str, Points]:
        return {name: curves[name] for name in names if curves.get(name)}

    panels = [
        ("Cones of depth 10, ms", "incidences", chosen("p50", "p95", "max")),
        ("Array file: load and save in ms, size in MB", "incidences", chosen("load", "save", "bytes")),
    ]
    if curves.get("write"):
        panels.append((f"Store ({server}), s", "incidences", chosen("write", "build")))
    return drawing(panels)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path, nargs="?", default=HERE)
    parser.add_argument("--largest", type=int, default=10_000_000)
    parser.add_argument("--stored", type=int, default=100_000, help="0 leaves the store out")
    parser.add_argument("--server", choices=SERVERS, default="embedded")
    parser.add_argument("--svg", type=Path, default=HERE / "docs" / "scale.svg")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = Incidence.open(resolved(asked.clone, "HEAD", folder))
        curves = array_curves(base, asked.largest, folder)
        if asked.stored:
            curves |= asyncio.run(store_curves(base, asked.stored, asked.server, folder))
    for name, points in curves.items():
        print(f"{name:<6}", "  ".join(f"{count:,.0f}: {value:,.2f}" for count, value in points))
    asked.svg.write_text(drawn(curves, asked.server), "utf-8")
    last = {name: points[-1][1] for name, points in curves.items()}
    print_figures("scale_growth", f"{asked.clone.resolve().name} on {asked.server}", last)


if __name__ == "__main__":
    main()
