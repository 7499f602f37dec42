"""Groups of data types are disjoint, and a wider type holds the narrow one's numbers."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np

from onnxtile.ir import dtypes


def test_groups_are_disjoint() -> None:
    groups = [set(group) for name, group in vars(dtypes).items() if name.isupper() and isinstance(group, tuple)]
    assert len(groups) >= 5
    assert all(not one & other for one, other in itertools.combinations(groups, 2))


def test_groups_are_what_their_names_say() -> None:
    assert all(dtype.is_floating_point() for dtype in dtypes.FLOATS)
    assert all(dtype.is_integer() and dtype.bitwidth >= 32 for dtype in dtypes.INTEGERS)
    widths = {8: dtypes.BYTES, 16: dtypes.SHORTS, 4: dtypes.HALF_BYTES}
    assert all(dtype.bitwidth == width for width, group in widths.items() for dtype in group)


def test_a_wider_type_holds_every_number() -> None:
    for narrow, wide in dtypes.WIDER.items():
        info = ml_dtypes.finfo(narrow.numpy())
        for number in (info.max, info.smallest_subnormal):
            assert np.array(number).astype(wide.numpy()).astype(narrow.numpy()) == number
