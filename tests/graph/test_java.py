"""The embedded server's command line, without starting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.java import Order, Wheel, command


def flags(heap: str) -> list[str]:
    order = Order(Path("/data"), Path("/data/password"), "127.0.0.1", 1, 2, heap, 5.0)
    return command(Wheel(Path("/wheel"), Path("java"), (Path("a.jar"),), "1"), order)


@pytest.mark.parametrize(
    ("heap", "first", "young"),
    [("1g", 288, 192), ("8g", 288, 192), ("512m", 288, 192), ("128m", 72, 48), ("4m", 1, 1)],
)
def test_what_is_young_has_its_share_of_any_heap(heap: str, first: int, young: int) -> None:
    said = flags(heap)
    assert [f"-Xmx{heap}", f"-Xms{first}m", f"-Xmn{young}m"] == [
        word for word in said if word.startswith(("-Xmx", "-Xms", "-Xmn"))
    ]


def test_it_names_the_file_with_the_password() -> None:
    assert "-Darcadedb.server.rootPasswordPath=/data/password" in flags("1g")
