"""The ptflops convention: figures that ptflops 0.7.5 (backend pytorch, torch 2.13) prints for modules of torch."""

from __future__ import annotations

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.profiling.conventions.ptflops import ptflops_macs, ptflops_total
from tests.support import Shapes, node_model, parse


def counted(op_type: str, shapes: Shapes, rank: int, **attributes: object) -> object:
    """Return what is counted for a node with these inputs (None: left out) and an output of so many axes."""
    model = ir.from_proto(node_model(op_type, shapes, [rank], **attributes))
    onnxtile.PassManager("infer-shapes")(model)
    return ptflops_macs(model.graph[0])


@pytest.mark.parametrize(
    ("op_type", "shapes", "rank", "attributes", "printed"),
    [
        ("Conv", [[1, 8, 9, 10], [16, 4, 3, 3], [16]], 4, {"pads": [1] * 4, "strides": [2, 2], "group": 2}, 14_800),
        ("Conv", [[1, 8, 20], [16, 8, 3]], 3, {"dilations": [2]}, 6_144),
        ("Conv", [[1, 2, 5, 6, 7], [4, 2, 3, 3, 3], [4]], 5, {}, 13_200),
        (
            "ConvTranspose",
            [[1, 8, 5, 6], [8, 3, 3, 3], [6]],
            4,
            {"strides": [2, 2], "pads": [1] * 4, "group": 2},
            7_074,
        ),
        ("ConvTranspose", [[1, 8, 5], [8, 6, 3]], 3, {}, 720),
        ("Gemm", [[1, 16], [32, 16], [32]], 2, {"transB": 1}, 544),
        ("Gemm", [[16, 5], [16, 32]], 2, {"transA": 1}, 2_560),
        ("MatMul", [[1, 5, 16], [16, 32]], 3, {}, 2_560),
        ("MatMul", [[5, 16], [4, 16, 32]], 3, {}, 2_560),  # a batch of the second is not seen
        ("MatMul", [[5, 16], [16]], 1, {}, 1_280),  # nor that a vector has no columns
        ("MatMul", [[16], [16, 3]], 1, {}, 48),
        ("BatchNormalization", [[1, 4, 5, 6], [4], [4], [4], [4]], 4, {}, 240),
        ("InstanceNormalization", [[1, 4, 5, 6], [4], [4]], 4, {}, 240),
        ("GroupNormalization", [[1, 4, 5, 6], [4], [4]], 4, {"num_groups": 2}, 240),
        ("LayerNormalization", [[1, 4, 5, 6], [6], [6]], 4, {}, 120),
        ("LRN", [[1, 6, 3, 4]], 4, {"size": 5}, 336),
        ("LRN", [[1, 6, 3, 4]], 4, {"size": 4}, 324),
        ("LRN", [[1, 6, 2, 2, 3]], 5, {"size": 3}, 312),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}, 324),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 2]}, 440),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"}, 440),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER"}, 324),
        ("AveragePool", [[1, 4, 9]], 3, {"kernel_shape": [3]}, 36),
        ("GlobalAveragePool", [[1, 4, 9, 9]], 4, {}, 324),
        ("GlobalMaxPool", [[1, 4, 9, 9]], 4, {}, 324),
        ("LpPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 3], "strides": [2, 2]}, 452),
        *((op, [[1, 4, 5]], 3, {}, 20) for op in ("Relu", "LeakyRelu", "Elu", "Gelu", "Softmax")),
        *((op, [[1, 4, 5]], 3, {}, 0) for op in ("LogSoftmax", "Sigmoid", "Tanh", "HardSwish", "Mish", "Selu", "Celu")),
        ("PRelu", [[1, 4, 5], [4, 1]], 3, {}, 20),
        ("RNN", [[10, 1, 16], [1, 32, 16], [1, 32, 32], [1, 64]], 4, {"hidden_size": 32}, 16_320),
        (
            "GRU",
            [[10, 1, 16], [2, 96, 16], [2, 96, 32], [2, 192]],
            4,
            {"hidden_size": 32, "direction": "bidirectional"},
            100_480,
        ),
        ("LSTM", [[10, 1, 16], [1, 128, 16], [1, 128, 32], [1, 256]], 4, {"hidden_size": 32}, 67_200),
        (
            "LSTM",
            [[10, 1, 16], [2, 128, 16], [2, 128, 32]],
            4,
            {"hidden_size": 32, "direction": "bidirectional"},
            129_280,
        ),
        *((op, [[1, 5, 6], [1, 5, 6]], 3, {}, 0) for op in ("Add", "Mul", "Sub")),  # as + * -
        ("Einsum", [[1, 5, 6], [6, 3]], 3, {"equation": "bij,jk->bik"}, 0),
        # (3 x 3 taps) x (4 x 6 / 2 + 24, 25 with a mask) x 4 x 5 positions, and 6 biases each: read, not run
        ("DeformConv", [[1, 4, 6, 7], [6, 2, 3, 3], [1, 18, 4, 5], [6]], 4, {"group": 2}, 9 * 36 * 20 + 120),
        ("DeformConv", [[1, 4, 6, 7], [6, 2, 3, 3], [1, 18, 4, 5], None, [1, 9, 4, 5]], 4, {"group": 2}, 9 * 37 * 20),
    ],
    ids=str,
)
def test_what_ptflops_prints(
    op_type: str, shapes: Shapes, rank: int, attributes: dict[str, object], printed: int
) -> None:
    assert counted(op_type, shapes, rank, **attributes) == printed


def test_an_upsampling_counts_its_output() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,4,5,6] x) => (float[1,4,10,12] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Resize (x, , s) }"""
    )
    assert onnxtile.profile(model, convention="ptflops").nodes[0].macs == 480


@pytest.mark.parametrize(("low", "high", "printed"), [(0, 6, 20), (0, 5, 0), (-1, 6, 0)])
@pytest.mark.parametrize("how", ["attributes", "inputs", "nodes"])
def test_a_clip_to_six_is_relu6(low: float, high: float, printed: int, how: str) -> None:
    body = {
        "attributes": ('"" : 10', f"y = Clip <min = {low:f}, max = {high:f}> (x)", ""),
        "inputs": ('"" : 20', "y = Clip (x, l, h)", f"<float l = {{{low}}}, float h = {{{high}}}>"),
        "nodes": (
            '"" : 20',
            f"l = Constant <value = float {{{low}}}> () h = Constant <value_float = {high:f}> () y = Clip (x, l, h)",
            "",
        ),
    }
    opset, node, constants = body[how]
    model = parse(
        f"<ir_version: 7, opset_import: [{opset}]> g (float[4,5] x) => (float[4,5] y) {constants} {{ {node} }}"
    )
    assert onnxtile.profile(model, convention="ptflops").totals.macs == printed


@pytest.mark.parametrize(("opset", "printed"), [(9, 0), (12, 0), (13, 20), (21, 20)])
def test_the_older_softmax_is_no_module(opset: int, printed: int) -> None:
    text = f'<ir_version: 7, opset_import: ["" : {opset}]> g (float[4,5] x) => (float[4,5] y) {{ y = Softmax (x) }}'
    assert onnxtile.profile(parse(text), convention="ptflops").totals.macs == printed


def test_symbolic_sizes_give_formulas() -> None:
    assert str(counted("Conv", [["N", 3, 8, 8], [4, 3, 3, 3], [4]], 4)) == "4032*N"
    assert str(counted("MaxPool", [["N", 3, 8, "W"]], 4, kernel_shape=[3, 3], pads=[0, 0, 1, 1])) == "27*N*(W + 1)"


@pytest.mark.parametrize(
    ("op_type", "shapes", "rank", "attributes", "words"),
    [
        ("MaxPool", [[1, 4, "H", 9]], 4, {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, "axis 2, whose length H"),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3], "auto_pad": "SAME_UPPER"}, "don't go with its axes"),
        ("MaxPool", [[1, 4, 9, 9]], 4, {"kernel_shape": [3, 3], "pads": [1, 1]}, "pads has 2 numbers, not 4"),
        ("LRN", [[4]], 1, {"size": 3}, "'X0' has 1 axes, not 2 or more"),
        ("MatMul", [[4]], 1, {}, "an input is absent"),
        ("Gelu", [[2, 2]], 2, {"domain": "com.microsoft"}, "none is exported as com.microsoft Gelu"),
        ("Nonesuch", [[2, 2]], 2, {}, "Nonesuch isn't among the operators known of ai.onnx"),
    ],
    ids=str,
)
def test_what_isn_t_known_says_why(
    op_type: str, shapes: Shapes, rank: int, attributes: dict[str, object], words: str
) -> None:
    model = ir.from_proto(node_model(op_type, shapes, [rank], **attributes))
    found = ptflops_macs(model.graph[0])
    assert isinstance(found, Unknown)
    assert words in found.reason


def test_a_shape_that_isn_t_known_says_why() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[4,5] x, int64[k] s) => (float[a, b] y) { h = Reshape (x, s) z = Relu (h) y = Flatten (z) }"""
    )
    profile = onnxtile.profile(model, convention="ptflops")
    assert profile.nodes[1].unknown["macs"] == (
        "the shape of 'z' isn't known: the shape that Reshape 'h' makes is only known at run time"
    )
    assert profile.totals.macs == Range(0, None)


MODULES = """<ir_version: 10, opset_import: ["" : 20]>
g (float[1,4,8,8] x) => (float[1,4,1,1] y) {
    a = Relu (x) b = MaxPool <kernel_shape = [2,2], strides = [2,2]> (a) c = LeakyRelu (b) y = GlobalAveragePool (c)
}"""


def test_the_printed_total_counts_modules_twice_whose_function_is_hooked_too() -> None:
    profile = onnxtile.profile(parse(MODULES), convention="ptflops")
    assert profile.totals.macs == 256 + 256 + 64 + 64
    assert ptflops_total(profile) == 640 + 256 + 64
    assert ptflops_total(profile, activation_modules=True) == 640 + 256 + 64 + 256


def test_an_unknown_node_makes_the_total_a_lower_bound() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]>
        g (float[4,5] x) => (float[4,5] y) { h = Relu (x) y = com.microsoft.FastGelu (h) }"""
    )
    profile = onnxtile.profile(model, convention="ptflops")
    assert profile.totals.macs == ptflops_total(profile) == Range(20, None)
