"""Wrong models in convolutions, recurrent layers, normalizations, Attention with a past, and nodes of several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faults.forgery import F32, Forgery, W, X, between

_rng = np.random.default_rng(11)


def drawn(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape).astype(F32)


IMAGE = {"x": drawn(1, 2, 6, 6)}
FILTER = drawn(2, 2, 3, 3)
PLANE = "(float[1,2,6,6] x) => (float[1,2,H,V] y)"


def plane(title: str, right: str, wrong: str, **more: Any) -> Forgery:
    return between(title, PLANE, right, wrong, IMAGE, w=FILTER, s=F32([1, 2]), b=F32([3, 4]), m=F32([0, 1]),
                   v=F32([1, 2]), more=more)  # fmt: skip


PLANES = [
    plane("a convolution's filter is turned round", "y = Conv (x, w)", "y = Conv (x, u)", u=FILTER[:, :, ::-1, ::-1].copy()),
    plane("a convolution's channels change places", "y = Conv (x, w)", "y = Conv (x, u)", u=FILTER[:, ::-1].copy()),
    plane("a convolution is padded on one side only", "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
          "y = Conv <pads = [0, 0, 2, 2]> (x, w)"),
    plane("a convolution has gaps", "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
          "y = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (x, w)"),
    plane("the bias of a convolution is gone", "y = Conv (x, w, b)", "y = Conv (x, w)"),
    plane("a convolution's bias is that of the other channel", "y = Conv (x, w, b)", "y = Conv (x, w, u)", u=F32([4, 3])),
    plane("a convolution became a transposed one", "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
          "y = ConvTranspose <pads = [1, 1, 1, 1]> (x, w)"),
    plane("a batch normalization's mean and variance change places", "y = BatchNormalization (x, s, b, m, v)",
          "y = BatchNormalization (x, s, b, v, s)"),
    plane("a batch normalization's epsilon is a tenth", "y = BatchNormalization <epsilon = 0.1> (x, s, b, m, v)",
          "y = BatchNormalization <epsilon = 0.01> (x, s, b, m, v)"),
    plane("an instance normalization became one of groups", "y = InstanceNormalization (x, s, b)",
          "y = LpNormalization <axis = 1> (x)"),
    plane("a global average became a global maximum", "y = GlobalAveragePool (x)", "y = GlobalMaxPool (x)"),
    plane("depth becomes space in another order", "d = Concat <axis = 1> (x, x, x, x)  y = DepthToSpace <blocksize = 2> (d)",
          "d = Concat <axis = 1> (x, x, x, x)  y = DepthToSpace <blocksize = 2, mode = \"CRD\"> (d)"),
]  # fmt: skip

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS = {"x": drawn(5, 2, 4)}


def recurrent(title: str, op_type: str, right: str = "", wrong: str = "", reads: str = "x, w, r, b",
              wrong_reads: str = "", **more: Any) -> Forgery:  # fmt: skip
    """y: 5 steps of 2 x 3. w, r: the gates' weights, b: their biases."""
    count = GATES[op_type]
    rng = np.random.default_rng(12)
    tensors = {"w": (1, 3 * count, 4), "r": (1, 3 * count, 3), "b": (1, 6 * count)}
    constants: dict[str, Any] = {name: rng.standard_normal(shape).astype(F32) for name, shape in tensors.items()}
    bodies = [f"y = {op_type} <hidden_size = 3{', ' * bool(given)}{given}> ({read})" for given, read in (
        (right, reads), (wrong, wrong_reads or reads))]  # fmt: skip
    made = {name: change(constants[name[0]]) for name, change in more.items()}
    return between(title, "(float[5,2,4] x) => (float[5,1,2,3] y)", *bodies, STEPS, **constants, more=made)


RECURRENT = [
    recurrent("an LSTM's gates change places", "LSTM", wrong_reads="x, w2, r, b",
              w2=lambda w: w.reshape(1, 4, 3, 4)[:, [0, 2, 1, 3]].reshape(w.shape)),
    recurrent("an LSTM runs backwards", "LSTM", wrong="direction = \"reverse\""),
    recurrent("an LSTM's biases are lost", "LSTM", wrong_reads="x, w, r"),
    recurrent("an LSTM's two biases change places, of which both count alike but one", "LSTM", wrong_reads="x, w, r, b2",
              b2=lambda b: np.concatenate([b[:, 12:], b[:, :12] * F32(1.01)], 1)),
    recurrent("an LSTM forgets by its input gate", "LSTM", wrong="input_forget = 1"),
    recurrent("an LSTM limits its gates", "LSTM", wrong="clip = 0.5"),
    recurrent("an LSTM's recurrent weights are transposed", "LSTM", wrong_reads="x, w, r2, b",
              r2=lambda r: r.reshape(4, 3, 3).swapaxes(1, 2).reshape(r.shape).copy()),
    recurrent("a GRU resets behind its product", "GRU", wrong="linear_before_reset = 1"),
    recurrent("a GRU's update and reset gates change places", "GRU", wrong_reads="x, w2, r, b",
              w2=lambda w: w.reshape(1, 3, 3, 4)[:, [1, 0, 2]].reshape(w.shape)),
    recurrent("an RNN has another activation", "RNN", wrong="activations = [\"Relu\"]"),
]  # fmt: skip

PAST = (
    "(float[1,4,3,6] q, float[1,2,3,6] k, float[1,2,3,6] v, float[1,2,5,6] p, float[1,2,5,6] o) => (float[1,4,3,6] y, "
)
PAST += "float[1,2,8,6] a, float[1,2,8,6] b)"
HEADS = {"q": drawn(1, 4, 3, 6), "k": drawn(1, 2, 3, 6), "v": drawn(1, 2, 3, 6), "p": drawn(1, 2, 5, 6),
         "o": drawn(1, 2, 5, 6)}  # fmt: skip
ATTENDS = "y, a, b = Attention (q, k, v, , p, o)"


def past(title: str, wrong: str, right: str = ATTENDS, **more: Any) -> Forgery:
    return between(title, PAST, right, wrong, HEADS, "reference", more, '<ir_version: 10, opset_import: ["" : 23]> g ')


WRITTEN = """a = Concat <axis = 2> (p, k)  b = Concat <axis = 2> (o, v)  ka = GATHER (a, h)  vb = GATHER (b, h)
    t = Transpose <perm = [0, 1, 3, 2]> (ka)  sc = Mul (q, f)  s = MatMul (sc, t)  w = Softmax (s)  y = MatMul (w, vb)"""
GROUPS = {"h": np.array([0, 1, 0, 1]), "f": F32(6**-0.5)}
ATTENTION = [
    past("Attention's past keys and values change places", "y, a, b = Attention (q, k, v, , o, p)"),
    past("Attention's present keys and values change places", "y, b, a = Attention (q, k, v, , p, o)"),
    past("Attention's past stands behind what's new", "c = Concat <axis = 2> (k, p)  d = Concat <axis = 2> (v, o)  "
         "y = Attention (q, c, d)  a = Identity (c)  b = Identity (d)"),
    past("Attention is causal, with a past", "y, a, b = Attention <is_causal = 1> (q, k, v, , p, o)"),
    past("Attention with a past is written out with its heads interleaved",
         WRITTEN.replace("GATHER", "Gather <axis = 1>"), **GROUPS),
    past("Attention with a past forgets the past", "y = Attention (q, k, v)  a = Concat <axis = 2> (p, k)  "
         "b = Concat <axis = 2> (o, v)"),
]  # fmt: skip

BOTH = "(float[2,8] x, bool c) => (float[2,4] y, float[2,4] v)"
IF = """ONE, TWO = If (c) <then_branch = one () => (float[2,4] p, float[2,4] q) { p = MatMul (x, w)  q = Neg (p) },
    else_branch = two () => (float[2,4] r, float[2,4] s) { r = MatMul (x, u)  s = Abs (r) }>"""
LOOPED = """y, v = Loop (n, , t) <body = b (int64 k, bool more, float[2,4] a) => (bool go, float[2,4] r, float[2,4] s) {
    go = Identity (more)  r = Tanh (a)  s = Neg (WHAT) }>"""
SEVERAL = [
    between("an If's outputs change places", BOTH, IF.replace("ONE", "y").replace("TWO", "v"),
            IF.replace("ONE", "v").replace("TWO", "y"), {"x": X, "c": np.array(True)}, w=W, u=W * 2),
    between("one branch's outputs change places", BOTH, IF.replace("ONE", "y").replace("TWO", "v"),
            IF.replace("ONE", "y").replace("TWO", "v").replace("float[2,4] r, float[2,4] s", "float[2,4] s, float[2,4] r"),
            {"x": X, "c": np.array(False)}, w=W, u=W * 2),
    between("a Loop stacks what it has read, not what it makes", "(float[2,8] x) => (float[2,4] y, float[P,2,4] v)",
            "n = Constant <value_int = 3> ()  t = MatMul (x, w)  " + LOOPED.replace("WHAT", "r"),
            "n = Constant <value_int = 3> ()  t = MatMul (x, w)  " + LOOPED.replace("WHAT", "a"), {"x": X}, w=W),
    between("a Loop stacks what its first turn makes", "(float[2,8] x) => (float[2,4] y, float[P,2,4] v)",
            "n = Constant <value_int = 3> ()  t = MatMul (x, w)  " + LOOPED.replace("WHAT", "r"),
            "n = Constant <value_int = 3> ()  t = MatMul (x, w)  f = Tanh (t)  " + LOOPED.replace("WHAT", "f"), {"x": X},
            w=W),
    between("a normalization's second output is its first's", "(float[2,8] x) => (float[2,8] y, float[2,1] v)",
            "y, v = LayerNormalization (x, g)", "y, i, v = LayerNormalization (x, g)", {"x": X}, g=np.ones(8, F32)),
    between("MaxPool's indices count along the other axis", "(float[1,1,4,4] x) => (float[1,1,2,2] y, int64[1,1,2,2] v)",
            "y, v = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)",
            "y, v = MaxPool <kernel_shape = [2, 2], strides = [2, 2], storage_order = 1> (x)",
            {"x": X.reshape(1, 1, 4, 4)}),
    between("a dynamic quantizer's scale is fixed", "(float[2,8] x) => (uint8[2,8] y, float v)",
            "y, v, z = DynamicQuantizeLinear (x)", "y, s, z = DynamicQuantizeLinear (x)  v = Identity (k)", {"x": X},
            more={"k": F32(0.02)}),
]  # fmt: skip

FORGERIES = [*PLANES, *RECURRENT, *ATTENTION, *SEVERAL]
