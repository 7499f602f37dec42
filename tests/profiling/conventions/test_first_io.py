"""A table of first inputs and outputs, as simple scripts have it."""

from __future__ import annotations

from onnxtile.profiling.profile import first_io
from tests.support import parse


def test_a_first_io_table_counts_nothing_it_doesn_t_know() -> None:
    table = first_io(
        parse(
            """<ir_version: 10, opset_import: ["" : 20]>
            g (uint4[3] a, string[2] s, float one, int64[k] shape, float[N,3] x) => (float[p] y) {
                b = Identity (a) t = Identity (s) two = Add (one, one)
                z = Reshape (x, shape) f = Flatten (z) y = Squeeze (f) c = Constant <value_int = 1> ()
            }"""
        )
    )
    assert [(row.name, row.input, row.output) for row in table.rows] == [
        ("Identity_0", 2, 2), ("Identity_1", 0, 0), ("Add_2", 0, 0), ("Reshape_3", 12, 0), ("Flatten_4", 0, 0),
        ("Squeeze_5", 0, 4), ("Constant_6", 0, 0),
    ]  # fmt: skip
    assert (table.peak_bandwidth, table.total_bandwidth) == (12, 2 + 2 + 4)
