"""The plots of the documents: well-formed, with every line and every name in them."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.drawing import drawing

SVG = "{http://www.w3.org/2000/svg}"


def test_every_line_and_name_is_drawn_within_the_picture() -> None:
    lines = {"p50 & <more>": [(1e4, 0.2), (1e6, 0.5), (1e7, 3.0)], "p95": [(1e4, 2.0), (1e7, 900.0)]}
    root = ElementTree.fromstring(
        drawing([("Cones", "incidences", lines), ("Other", "n", {"a": [(1.0, 1.0)]})])
    )
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    drawn = root.findall(f".//{SVG}polyline")
    assert [len(line.attrib["points"].split()) for line in drawn] == [3, 2, 1]
    for line in drawn:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height
    texts = {text.text.strip() for text in root.iter(f"{SVG}text") if text.text}
    assert {"p50 & <more>", "p95", "Cones", "Other", "incidences", "10k", "10M", "100"} <= texts


def test_what_grows_is_drawn_higher() -> None:
    root = ElementTree.fromstring(drawing([("t", "n", {"a": [(10.0, 1.0), (100.0, 50.0)]})]))
    first, second = root.find(f".//{SVG}polyline").attrib["points"].split()
    (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in (first, second))
    assert x2 > x1 and y2 < y1
