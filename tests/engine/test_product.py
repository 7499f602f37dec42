from __future__ import annotations

import pytest

from onnxtile.engine.product import Product, Window
from onnxtile.errors import UsageError

WINDOW = Window(3, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), (8, 8))


def test_a_product_says_its_sizes() -> None:
    assert str(Product(4, 5, 6)) == "4 x 5 x 6"
    assert str(Product(4, 5, 6, 2)) == "2 x 4 x 5 x 6"
    assert (Product(4, 5, 6, 2).macs, Product(4, 0, 6).empty) == (240, True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"m": -1}, "m of a product is -1"),
        ({"k": 2**63}, "k of a product is 9223372036854775808"),
        ({"n": True}, "n of a product is True"),
        ({"batch": 1.5}, "batch of a product is 1.5"),
        ({"types": ("int8", "bool")}, "type 'bool' of a product is unknown"),
        ({"window": WINDOW}, "M = 4, K = 5 isn't one of windows: 64 an image, 27 elements each"),
    ],
)
def test_what_is_no_product_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Product(**{"m": 4, "k": 5, "n": 6, **fields})  # type: ignore[arg-type]  # that's the point


def test_windows_of_several_images() -> None:
    assert (WINDOW.taps, WINDOW.positions) == (9, 64)
    assert Product(128, 27, 16, window=WINDOW).macs == 128 * 27 * 16
