"""Which classes the embedded server loads for Maestro.

    python -m scripts.classlist      writes graph/server.classlist

A server without an archive of its classes notes what it loads while it indexes this checkout, is asked,
checked and pruned. To be run again when `arcadedb-embedded` moves in requirements.in: a test holds that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from graph import embedded
from graph.class_archive import CLASSES
from graph.java import find_wheel
from graph.settings import StoreSettings

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    ("index", str(ROOT)),
    ("index", str(ROOT), "--rev", "HEAD~3"),
    ("index", str(ROOT), "--full"),
    ("impact", "HEAD"),
    ("search", "store"),
    ("status",),
    ("doctor",),
    ("prune",),
)


def loaded(place: Path) -> list[str]:
    """The lines that Java wrote while the server worked."""
    noted = place / "noted"
    environment = os.environ | {
        "MAESTRO_DATA": str(place / "data"),
        "MAESTRO_IDLE": "60",
        "MAESTRO_KEEP": "1",
        "JAVA_TOOL_OPTIONS": f"-Xshare:off -XX:DumpLoadedClassList={noted}",
    }
    try:
        for words in COMMANDS:
            subprocess.run([sys.executable, "-m", "api", *words], cwd=ROOT, env=environment, check=True)
    finally:
        embedded.stop(StoreSettings(place / "data" / "store"))
    return [line for line in noted.read_text("utf-8").splitlines() if not line.startswith("#")]


def main() -> None:
    """Write the list."""
    wheel = find_wheel()
    with tempfile.TemporaryDirectory() as place:
        lines = loaded(Path(place))
    CLASSES.write_text("\n".join([f"# arcadedb-embedded {wheel.version}", *lines, ""]), "utf-8")
    print(f"{len(lines)} lines in {CLASSES.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
