from __future__ import annotations

import xml.etree.ElementTree as ET

from onnxtile.drawing.svg import add, label, picture, rectangle, to_html, to_svg
from tests.drawing.models import HOSTILE


def test_names_are_text_in_svg_and_html() -> None:
    root = picture(10, 10, HOSTILE)
    label(root, 1, 2, HOSTILE)
    rectangle(root, 0, 0, 1, 1, "panel", HOSTILE)
    add(root, "g", data_name=HOSTILE)
    for text in (to_svg(root), to_html(root)):
        assert "<script>" not in text and "\x1b" not in text and "\u202e" not in text
    read = ET.fromstring(to_svg(root))
    spelled = "</text><script>alert(1)</script>\\x1b[31m\\u202e&\"'"
    assert [element.text for element in read.iter("{http://www.w3.org/2000/svg}title")] == [spelled]
    assert next(iter(read.iter("{http://www.w3.org/2000/svg}g"))).get("data-name") == spelled


def test_a_long_path_stays_whole() -> None:
    path = "M0 0" + "h1" * 5000
    assert add(picture(1, 1, ""), "path", d=path).get("d") == path
