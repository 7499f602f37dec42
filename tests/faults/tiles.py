"""Faults in unrolled products: tiles, partial sums, edges, factors, biases, types."""

from __future__ import annotations

import numpy as np
import onnx

from tests.faults import cases
from tests.faults.cases import Case
from tests.faults.fault import Fault, Feeds
from tests.faults.written import (
    Edit,
    at,
    attribute,
    becomes,
    before,
    behind,
    both,
    bypassed,
    constant,
    exchange,
    more_input,
    plus,
    reads,
    swap_inputs,
    swap_outputs,
    ulp,
    without_input,
)  # fmt: skip

GEMM = Case("Gemm", cases.GEMM)
EVEN = Case("MatMul", cases.EVEN)
TREE = Case("MatMul", cases.product(k=20), {"accumulate": "tree"})
SUM = Case("MatMul", cases.product(k=20), {"accumulate": "sum"})
SUM_TREE = Case("MatMul", cases.product(k=20), {"accumulate": "sum", "max_fan_in": 2})
WIDE = Case("MatMul", cases.WIDE, {"max_fan_in": 2, "max_fan_out": 2})
SPLIT = Case("MatMul", cases.EVEN, {"weights": "split"})
PADDED = Case("MatMul", cases.product(), {"pad_tiles": True})
TURNED = Case("Gemm, A transposed", cases.TURNED)
BATCHES = Case("MatMul of two inputs, in a batch", cases.DATA)
VECTOR = Case("vector by MatMul", cases.VECTOR)
DEEP = Case("Gemm of K = 2,048", cases.DEEP, {}, (64, 64, 64))
HALF, BRAIN, DOUBLE, WHOLE = (
    Case(f"MatMul of {dtype}", cases.product(dtype)) for dtype in ("float16", "bfloat16", "double", "int32")
)


def through(name: str, narrow: int, wide: int) -> Edit:
    """A tile's product is cast to another type and back."""
    return both(behind(name, "Cast", to=wide), behind(name, "Cast", to=narrow))


def paddings(a: float, b: float) -> Edit:
    """Paddings of A and of B's last k-tiles hold numbers other than zero."""
    edges = [constant(f"w/k2_n{n}", at(np.s_[2:], lambda rows: rows + b)) for n in (0, 1)]
    return both(more_input("fc/A_padded", np.array(a, np.float32)), *edges)


def one_row(feeds: Feeds) -> Feeds:
    """Each row of x takes one of the weight's last rows as it is: products round nothing."""
    rows, columns = feeds["x"].shape
    return {**feeds, "x": np.eye(rows, columns, columns - rows, dtype=feeds["x"].dtype)}


def large(feeds: Feeds) -> Feeds:
    return {**feeds, "x": feeds["x"] * 30_000}


def _tiny() -> np.ndarray:
    """A weight with an element that's tiny, and two columns that nearly agree."""
    weight = cases.numbers(10, 7)
    weight[9, 6] = 1e-6
    weight[:, 5] = weight[:, 4] * np.float32(1 + 2e-7)
    return weight


TINY = Case("MatMul", cases.text("g (float[6,10] x) => (float[6,7] y) { [fc] y = MatMul (x, w) }", w=_tiny()))

SUMS = [
    Fault("the last partial sum is missing from a chain of Adds", GEMM, bypassed("fc/m0_n0")),
    Fault("a partial product is added twice, its neighbour never", GEMM, reads("fc/m0_n0_sum1", 1, "fc/m0_n0_k0")),
    Fault("a partial product is taken off instead of added", GEMM, becomes("fc/m1_n0", "Sub")),
    Fault("two tiles' last partial products change places", EVEN, exchange("fc/m0_n0_k2", "fc/m0_n1_k2", 1)),
    Fault("half of a tree of Adds is missing", TREE, bypassed("fc/m0_n0_sum3")),
    Fault("a tree of Adds takes one half twice", TREE, reads("fc/m0_n1_sum3", 1, "fc/m0_n1_sum1")),
    Fault("an input is missing from an n-ary Sum", SUM, without_input("fc/m0_n0", 4)),
    Fault("an n-ary Sum takes one input twice", SUM, reads("fc/m1_n1", 3, "fc/m1_n1_k2")),
    Fault("a group is missing from a tree of Sums", SUM_TREE, bypassed("fc/m0_n0_sum1_0")),
    Fault("the sum becomes the largest partial product", SUM, becomes("fc/m0_n1", "Max")),
]

TILES = [
    Fault("a tile of the result is dropped, its neighbour doubled", EVEN, reads("fc/m0", 1, "fc/m0_n0")),
    Fault("two tiles of the result are swapped", EVEN, swap_inputs("fc/m1")),
    Fault("two rows of tiles are swapped", EVEN, swap_inputs("y")),
    Fault(
        "tiles are joined along the wrong axes",
        EVEN,
        both(attribute("fc/m0", axis=0), attribute("fc/m1", axis=0), attribute("y", axis=1)),
    ),
    Fault("a tile of the result is transposed", EVEN, behind("fc/m1_n0", "Transpose", perm=[1, 0])),
    Fault("a tile's product reads A's tile of another row", EVEN, reads("fc/m1_n0_k0", 0, "fc/A_m0_k0")),
    Fault("a tile's product reads A's tile of another k", GEMM, reads("fc/m0_n0_k1", 0, "fc/A_m0_k0")),
    Fault("a tile's product reads the weight's tile of another k", GEMM, reads("fc/m0_n0_k1", 1, "w/k0_n0")),
    Fault("a tile's product reads the weight's tile of another column", EVEN, reads("fc/m1_n1_k0", 1, "w/k0_n0")),
    Fault("a tile's product multiplies in the wrong order", EVEN, swap_inputs("fc/m0_n1_k0")),
    Fault("a weight's tile is written transposed", EVEN, constant("w/k1_n0", np.transpose)),
    Fault(
        "a ragged k-tile begins one column too early",
        GEMM,
        both(reads("fc/m0_n0_k2", 0, "fc/A_m0"), before("fc/m0_n0_k2", 0, "Slice", *map(np.array, ([7], [9], [1])))),
    ),
    Fault(
        "a weight's ragged tile has its last two columns swapped", GEMM, constant("w/k0_n1", lambda a: a[:, [0, 2, 1]])
    ),
    Fault("a weight's ragged tile has zeros for its last row", GEMM, constant("w/k2_n0", at(np.s_[-1], np.zeros_like))),
    Fault("one weight element is a tenth larger", GEMM, constant("w/k1_n1", at((2, 1), lambda x: x * 1.1))),
    Fault("a weight that is cut at run time has two tiles swapped", SPLIT, swap_outputs("fc/B_k1_n0")),
    Fault("A is cut into tiles in the wrong order", SPLIT, swap_outputs("fc/A_m1_k0")),
    Fault("a tree of Splits gives two tiles in the wrong order", WIDE, swap_outputs("fc/A_m0_k0")),
    Fault("a tree of Concats joins two groups in the wrong order", WIDE, swap_inputs("fc/m0_concat1_0")),
    Fault(
        "padding stands in front of the data instead of behind",
        PADDED,
        constant("fc/A_padded_pads", lambda a: a[[2, 3, 0, 1]]),
    ),
    Fault(
        "padding is cut off one row too late",
        PADDED,
        both(constant("fc/C_starts", plus(1, 0)), constant("fc/C_ends", plus(1, 0))),
    ),
    Fault(
        "a tile of a batch reads the other batch", BATCHES, before("fc/m0_n0_k0", 0, "Gather", np.array([1, 0]), axis=0)
    ),
    Fault(
        "a tile of a second input is read transposed", BATCHES, before("fc/m0_n0_k0", 1, "Transpose", perm=[0, 2, 1])
    ),
    Fault("a vector's partial product is missing", VECTOR, bypassed("fc/m0_n1")),
    Fault("A's transposition is lost", TURNED, bypassed("fc/A_transposed")),
    Fault(
        "one weight element is the next float",
        EVEN,
        constant("w/k1_n1", at((2, 1), ulp)),
        hard="one part in ten million",
        shows=one_row,
    ),
    Fault(
        "a tiny weight element became zero",
        TINY,
        constant("w/k2_n1", at((1, 2), np.zeros_like)),
        hard="a millionth beside numbers around 1",
        shows=one_row,
    ),
    Fault(
        "two columns that nearly agree change places",
        TINY,
        constant("w/k1_n1", lambda a: a[:, [1, 0, 2]]),
        hard="they differ by two parts in ten million",
        shows=one_row,
    ),
    Fault("both operands are padded with ones", PADDED, paddings(1, 1)),
    Fault(
        "padding isn't quite zero",
        PADDED,
        paddings(1e-6, 1),
        hard="it adds two millionths",
        shows=lambda feeds: {**feeds, "x": feeds["x"] * 0},
    ),
    Fault(
        "a tile's product is limited to 10,000",
        EVEN,
        behind("fc/m0_n1_k1", "Clip", np.array(-1e4, np.float32), np.array(1e4, np.float32)),
        hard="only large inputs get there",
        shows=large,
    ),
]

DEEP_FAULTS = [
    Fault(
        "one weight of 2,048 is a hundredth larger",
        DEEP,
        constant("w/k31_n0", at((60, 1), lambda x: x * 1.01)),
        hard="it's lost among 2,048 terms",
        shows=one_row,
    ),
    Fault(
        "a small bias is lost",
        DEEP,
        bypassed("fc/biased"),
        hard="it's some hundred-thousandths",
        shows=lambda feeds: {"x": feeds["x"] * 0},
    ),
]

FACTORS = [
    Fault("the bias is added twice", GEMM, behind("fc/biased", "Add", "fc/bias")),
    Fault("the bias is lost", GEMM, bypassed("fc/biased")),
    Fault("the bias is added in the first rows only, and twice", GEMM, behind("fc/m0", "Add", "fc/bias")),
    Fault("alpha is lost", GEMM, bypassed("fc/scaled")),
    Fault("alpha is applied twice", GEMM, behind("fc/scaled", "Mul", "fc/alpha")),
    Fault(
        "alpha is applied to the bias too", GEMM, both(bypassed("fc/scaled"), behind("fc/biased", "Mul", "fc/alpha"))
    ),
    Fault("beta is lost from a constant bias", GEMM, constant("fc/bias", lambda a: a / 2)),
    Fault("beta is lost from a bias that is an input", TURNED, bypassed("fc/bias")),
    Fault("the bias runs along the wrong axis", TURNED, before("fc/biased", 1, "Transpose", perm=[1, 0])),
    Fault("alpha is the next float", GEMM, constant("fc/alpha", ulp), hard="one part in ten million", shows=one_row),
]

TYPES = [
    Fault("a partial sum of float16 is missing", HALF, bypassed("fc/m0_n0_wide")),
    Fault("a partial product of bfloat16 is added twice", BRAIN, reads("fc/m0_n0_sum1", 1, "fc/m0_n0_k0")),
    Fault("a partial product of int32 is taken off", WHOLE, becomes("fc/m0_n0_sum1", "Sub")),
    Fault(
        "a tile of double is computed through float",
        DOUBLE,
        through("fc/m0_n0_k0", onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE),
        hard="it keeps seven digits",
    ),
    Fault(
        "a tile of float is computed through bfloat16",
        GEMM,
        through("fc/m1_n1_k2", onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT),
    ),
    Fault(
        "a tile of int32 is computed through float",
        WHOLE,
        through("fc/m1_n1_k0", onnx.TensorProto.FLOAT, onnx.TensorProto.INT32),
        hard="float holds every whole number up to 16,777,216",
        shows=lambda feeds: {**feeds, "x": feeds["x"] * 99_991},
    ),
]

FAULTS = [*SUMS, *TILES, *DEEP_FAULTS, *FACTORS, *TYPES]
