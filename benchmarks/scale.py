"""What Maestro does at a million incidences and ten, each figure beside its peer in the same run.

    python -m benchmarks.scale [CLONE] [--size N] [--server embedded|neo4j] [--arrays-only] [--plot FILE]

The graph is grown from that of a real repository (CLONE, this checkout where none is given); how is said in
`benchmarks.growth`. An incidence is a node's membership in a hyperedge. What concerns the store is measured
at --size (1,000,000), arrays also at ten times that, which the store would take too long to write. With
--plot the same run measures smaller sizes too, and draws how all of it grows.

`memory_ratio_8` is what `maestro serve --workers 8` holds beside `maestro serve` once every process has
answered: all their processes, the one that looks after the workers too. Beside it stand eight bare readers
(cones and proofs alone, no service) and one: each started by itself (`_alone`), and forked from one that had
loaded code and graph (`_forked`: that one counts on both sides). Each is a sum of proportional shares (PSS),
so that shared pages count once. Without a store there is no service, and no `memory_ratio_8`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import tempfile
import time
from pathlib import Path

from benchmarks import (
    bare,
    renewal,
    scale_arrays,
    scale_growth,
    scale_hub,
    scale_reading,
    scale_service,
    scale_store,
)
from benchmarks.cones import resolved
from benchmarks.figures import print_figures
from benchmarks.growth import copies_for, grow
from benchmarks.scale_growth import Curves
from benchmarks.servers import SERVERS, running
from graph.incidence import Incidence
from graph.store import Store
from graph.workspace import Workspace

HERE = Path(__file__).resolve().parent.parent
_BEGUN = time.monotonic()
MORE = 10
"""Arrays are measured at so many times the size too."""

LEAST = {"write_ratio": (0.5, 0.8), "times_faster_than_cypher": (20.0, 200.0)}
"""(bar, aim) of figures that should be large; those of `MOST` should be small."""
MOST = {
    "build_ratio": (2.0, 1.2),
    "load_ms": (200.0, 20.0),
    "bytes_per_incidence": (40.0, 16.0),
    "p50_ms": (5.0, 1.0),
    "p95_ms": (50.0, 10.0),
    "max_ms": (200.0, 50.0),
    "delta_ratio": (0.05, 0.01),
    "delta_ratio_store": (0.05, 0.01),
    "reindex_p99_ratio": (3.0, 1.5),
    "memory_ratio_8": (2.0, 1.2),
    "memory_ratio_8_alone": (2.0, 1.2),
    "memory_ratio_8_forked": (2.0, 1.2),
    "hub_growth": (1.5, 1.1),
}
MOST_10M = {"p95_ms": (200.0, 50.0)}


def mark_of(size: int) -> str:
    """How a size is written in a figure's name: 1m, 10m, 100k."""
    for unit, name in ((1_000_000, "m"), (1_000, "k")):
        if size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def shown(figures: dict[str, float], large: str) -> None:
    """Print figures beside their bars."""
    width = max(map(len, figures))
    for name, value in figures.items():
        stem, _, mark = name.rpartition("_")
        key = stem if mark[:1].isdigit() and mark[-1:] in "mk" else name
        bounds = MOST_10M if mark == large else MOST
        verdict = ""
        if key in LEAST:
            bar, aim = LEAST[key]
            reached = "reaches the aim" if value >= aim else "above the bar"
            verdict = f"  {reached if value >= bar else 'BELOW THE BAR'} (bar {bar:g}, aim {aim:g})"
        elif key in bounds:
            bar, aim = bounds[key]
            reached = "reaches the aim" if value <= aim else "within the bar"
            verdict = f"  {reached if value <= bar else 'ABOVE THE BAR'} (bar {bar:g}, aim {aim:g})"
        print(f"{name:<{width}} {value:>14,.3f}{verdict}")


def array_figures(base: Incidence, size: int, folder: Path) -> dict[str, float]:
    """What is measured on arrays alone, at a size."""
    grown = grow(base, copies_for(base, size))
    path = folder / f"{size}.arrays"
    grown.save(path)
    print(
        f"grown to {grown.node_count:,} nodes, {grown.edge_count:,} hyperedges, "
        f"{len(grown.member_node):,} incidences, {len(grown.adjacency().node):,} dependencies"
    )
    del grown
    mark = mark_of(size)
    figures = scale_arrays.cone_figures(Incidence.open(path), mark) | scale_arrays.file_figures(path, mark)
    path.unlink()
    return figures


def stage(name: str) -> None:
    """Say what is measured from now on, and how long the run took so far."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGUN), 60)
    print(f"[{minutes}:{seconds:02}] {name}", flush=True)


async def store_figures(
    base: Incidence, asked: argparse.Namespace, folder: Path, curves: Curves
) -> dict[str, float]:
    """What is measured on a server, at a size, and how what it costs grows up to there."""
    data, mark = folder / "server", mark_of(asked.size)
    with running(asked.server, data) as settings:
        async with Store.open(settings) as store:
            await store.migrate()
            print(store.server)
            with bare.driver_of(store) as driver:
                if asked.plot:
                    stage("smaller sizes in the store")
                    curves |= await scale_growth.curves_on(store, driver, base, asked.size // 10, folder)
                stage("writing")
                scope, figures = await scale_store.write_figures(store, driver, base, asked.size)
                stage("arrays from the store")
                built, more = await scale_store.build_figures(store, driver, scope, folder)
                figures = {f"{name}_{mark}": value for name, value in (figures | more).items()}
                for name in ("write", "build") if asked.plot else ():
                    curves[name].append((float(len(built.member_node)), figures[f"{name}_s_{mark}"]))
                stage("cones beside Cypher")
                figures |= scale_store.cypher_figures(driver, store, built)
            stage("memory of a service")
            figures |= scale_service.service_figures(store, built, scope, folder)
            stage("renewal")
            figures["delta_ratio"] = float(renewal.measure(built)["delta_ratio"])
            seconds = figures[f"build_s_{mark}"]
            figures |= await scale_store.renewal_figures(store, scope, built, folder, seconds)
            del built
            arrays = Workspace(folder).arrays(scope, "code")
            stage("reads while a full index runs")
            figures |= await scale_reading.reading_figures(store, asked.clone, arrays, folder)
            arrays.unlink()
            stage("hubs")
            figures |= await scale_hub.hub_figures(store, data, asked.size // 10)
            return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path, nargs="?", default=HERE)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--server", choices=SERVERS, default="embedded")
    parser.add_argument("--arrays-only", action="store_true", help="leave the store out")
    parser.add_argument("--plot", type=Path, help="draw how everything grows into this SVG file")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore ctrl-C; servers must go
        signal.signal(number, signal.default_int_handler)
    if asked.size < 1:
        parser.error("--size must be 1 or more")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = Incidence.open(resolved(asked.clone, "HEAD", folder))
        print(f"{asked.clone.resolve().name}: {len(base.member_node):,} incidences")
        figures: dict[str, float] = {}
        curves: Curves = {}
        if not asked.arrays_only:
            figures |= asyncio.run(store_figures(base, asked, folder, curves))
        stage("arrays, ten times as many")
        large = array_figures(base, asked.size * MORE, folder)
        stage("arrays")
        small = array_figures(base, asked.size, folder)
        mark = mark_of(asked.size * MORE)
        if asked.plot:
            stage("smaller arrays")
            curves |= scale_growth.array_curves(base, asked.size, folder)
            for name in ("p50", "p95", "max", "load"):
                curves[name].append((float(asked.size * MORE), large[f"{name}_ms_{mark}"]))
            curves["bytes"].append(
                (float(asked.size * MORE), large["file_bytes_per_incidence"] * asked.size * MORE / 1e6)
            )
            asked.plot.write_text(scale_growth.drawn(curves, asked.server), "utf-8")
    figures |= {
        name if name.endswith(mark) else f"{name}_{mark}": value for name, value in large.items()
    } | small
    shown(figures, mark)
    print_figures("scale", f"{asked.clone.resolve().name} on {asked.server}", figures)


if __name__ == "__main__":
    main()
