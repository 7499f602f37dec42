"""Models of a few products, for sweeps."""

from __future__ import annotations

import onnx
import onnx.parser

ENGINE = "systolic-32"


def chain(width: int = 64) -> onnx.ModelProto:
    """Two products of the same size, and one of another."""
    return onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        chain (float[96,{width}] x, float[{width},{width}] w, float[{width},80] v) => (float[96,80] z) {{
            [a] y = MatMul (x, w)
            [b] u = MatMul (y, w)
            [c] z = MatMul (u, v)
        }}""")


def loop() -> onnx.ModelProto:
    """A product in a body that runs five times, and one of doubles, which engines don't multiply."""
    return onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        loop (float[8,8] x, double[4,4] d) => (float[8,8] z, double[4,4] e)
            <int64 trips = {5}, bool yes = {1}>
        {
            [l] z = Loop (trips, yes, x) <body = turn (int64 i, bool on, float[8,8] h) => (bool same, float[8,8] next) {
                same = Identity (on)
                [m] next = MatMul (h, h)
            }>
            [n] e = MatMul (d, d)
        }""")


def free() -> onnx.ModelProto:
    return onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        free (float[batch,64] x, float[64,64] w) => (float[batch,64] y) { [a] y = MatMul (x, w) }""")
