"""Keys of metadata are all different, and a tile says its own box first."""

from __future__ import annotations

from onnxtile.ir import metadata


def test_no_key_is_used_twice() -> None:
    keys = {name: value for name, value in vars(metadata).items() if isinstance(value, str) and name.isupper()}
    assert len(set(keys.values())) == len(keys)
    assert {"onnxtile.origin", "onnxtile.tile"} <= set(keys.values())  # the README promises these


def test_the_box_of_a_tile_that_was_cut_again() -> None:
    assert metadata.box_text("m0:4,k0:4,n0:4 of m8:16,k0:8,n0:8") == "m0:4,k0:4,n0:4"
    assert metadata.box_text("m64,k64,n32") == "m64,k64,n32"
    assert metadata.box_text("") == ""
