"""Keys of metadata are all different."""

from __future__ import annotations

from onnxtile.ir import metadata


def test_no_key_is_used_twice() -> None:
    keys = {name: value for name, value in vars(metadata).items() if isinstance(value, str) and name.isupper()}
    assert len(set(keys.values())) == len(keys)
    assert {"onnxtile.origin", "onnxtile.tile"} <= set(keys.values())  # docs/forms.md promises these
