"""Sizes that are inferred hold in every run; what only a run tells is unknown, with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.operators.contractions import contractions
from onnxtile.passes.infer_shapes import InferShapes
from tests.node_cases import (
    NodeCase,
    bare_model,
    changes,
    node_cases,
    resized,
    run_by_reference,
    runs_in_onnxruntime,
    shapes_that_differ,
)
from tests.support import FLOAT, parse, run_onnxruntime

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
VARIANTS = [(constants, free) for constants in (False, True) for free in (False, True)]
FORMS = ("unrolled", "batched", "loop", "function")
INFO = helper.make_tensor_value_info
HEAD = '<ir_version: 10, opset_import: ["" : 20]>'


def inferred(case: NodeCase, constants: bool, free: bool) -> tuple[ir.Model, dict[str, int]]:
    model, sizes = bare_model(case, constants, free)
    InferShapes()(model)
    return model, sizes


def test_no_node_case_of_onnx_is_contradicted() -> None:
    """Each case of the backend suite, in one of four variants by turns (`long`: in all), against what comes out."""
    wrong, seen = [], 0
    for index, case in enumerate(node_cases()):
        for constants, free in VARIANTS if LONG else [VARIANTS[index % len(VARIANTS)]]:
            model, sizes = inferred(case, constants, free)
            wrong += [f"{case.name}: {words}" for words in shapes_that_differ(model, sizes, case.shapes)]
            seen += 1
    assert wrong == []
    assert seen >= 1_700


def test_other_sizes_contradict_no_node_case() -> None:
    """What is inferred of free dimensions, against runs with other sizes; by `long` all cases, otherwise some."""
    wrong, ran, refused = [], 0, 0
    for case in node_cases()[:: 1 if LONG else 40]:
        for constants in (False, True):
            model, sizes = inferred(case, constants, free=True)
            for change in list(changes(list(sizes.values())))[: None if LONG else 3]:
                inputs, others = resized(case.inputs, sizes, change)
                real = run_by_reference(case.model, inputs)
                if real is None:
                    refused += 1
                    continue
                ran += 1
                words = list(shapes_that_differ(model, others, real))
                if words and runs_in_onnxruntime(case.model, inputs):
                    wrong.append(f"{case.name} with {others}: {words}")
    assert wrong == []
    assert ran > refused


def found(text: str, **constants: np.ndarray) -> dict[str, ir.Value]:
    """What is inferred of the values of the main graph."""
    model = ir.from_proto(parse(f"{HEAD} {text}", **constants))
    InferShapes()(model)
    return {str(value.name): value for node in model.graph for value in node.outputs}


INTS = {
    "zero": [0],
    "one": [1],
    "two": [2],
    "three": [3],
    "last": [-1],
    "end": [2**63 - 1],
    "rows": [0, -1, 9],
    "t": [-1, 9],
}
CONSTANTS: dict[str, np.ndarray] = {
    **{name: np.array(numbers, np.int64) for name, numbers in INTS.items()},
    "odd": np.array([1, 1, 0.7, 0.5], np.float32),
    "double": np.array([1, 1, 2, 0.5], np.float32),
}
HOLD = {
    "rest of a free batch": ("float[B,3,2,9] x", "y = Reshape (x, rows)", "[B,6,9]"),
    "rest behind Shape": (
        "float[B,9,4,4] x",
        "d = Shape <start=0, end=1> (x) s = Concat <axis=0> (d, t) y = Reshape (x, s)",
        "[B,16,9]",
    ),
    "last window in the padding": (
        "float[1,1,N,7] x",
        "y = MaxPool <kernel_shape=[1,3], strides=[2,3], ceil_mode=1> (x)",
        "[1,1,floor(N/2 + 1/2),3]",
    ),
    "the same size twice": ("float[N,4] x, float[N,1] z", "y = Add (x, z)", "[N,4]"),
    "two sizes": ("float[N,4] x, float[M,1] z", "y = Add (x, z)", "[None,4]"),
    "a size and a number": ("float[N,4] x, float[5,1] z", "y = Add (x, z)", "[5,4]"),
    "a size and what is 1 with it": (
        "float[N,4] x, float[64,1] t",
        "n = Shape <end=1> (x) u = Slice (t, zero, n, zero) y = Add (x, u)",
        "[N,4]",
    ),
    "as much as there is": ("float[2,N] x", "y = Slice (x, zero, three, one)", "[2,Min(3, N)]"),
    "the last one, if there is one": ("float[2,N] x", "y = Slice (x, last, end, one)", "[2,None]"),
    "axes read at run time": ("float[8,9] x, int64[1] a", "y = Slice (x, one, three, a)", "[None,None]"),
    "an axis of Unique": ("float[N,4] x", "y = Unique <axis=0> (x)", "[None,4]"),
    "scales that round": ("float[1,1,N,10] x", "y = Resize (x, , odd)", "[1,1,None,5]"),
    "scales that double": ("float[1,1,N,M] x", "y = Resize (x, , double)", "[1,1,2*N,floor(M/2)]"),
    "a choice between shapes": (
        "float[1,N] x, float[M,N] z",
        """d = Shape (z) o = ConstantOfShape <value: tensor = int64[1] {1}> (two)
           e = Equal (d, last) s = Where (e, o, d) y = Expand (x, s)""",
        "[M,N]",
    ),
    "half of the elements": (
        "float[N,6] x",
        "d = Shape <start=1> (x) h = Div (d, two) s = Concat <axis=0> (last, h) y = Reshape (x, s)",
        "[2*N,3]",
    ),
    "rows of a matrix of numbers": (
        "float[B,3,4] x, float[1] z",
        "d = Shape (x) u = Unsqueeze (d, zero) g = Gather (u, zero) r = Squeeze (g, zero) y = Expand (z, r)",
        "[None,None,None]",
    ),
}
"""By what it is: inputs, nodes, and what holds of `y`."""


@pytest.mark.parametrize("name", HOLD)
def test_what_holds_in_every_run(name: str) -> None:
    inputs, nodes, shape = HOLD[name]
    fed = {each.split("]")[1].strip() for each in inputs.split(", ")}
    constants = {name: array for name, array in CONSTANTS.items() if name not in fed}
    assert str(found(f"g ({inputs}) => (float y) {{ {nodes} }}", **constants)["y"].shape) == shape


AXES = "Squeeze 'a' drops each axis of length 1, and which these are is only known at run time"
UNKNOWN = {
    "Split": (
        "float[12,9] x, int64[2] n",
        "a, b = Split <axis=0> (x, n)",
        "the lengths of Split 'a' are only known at run time",
    ),
    "Squeeze": (
        "float[1,6,1,9] x, int64[1] n",
        "a = Squeeze (x, n)",
        "the axes of Squeeze 'a' are only known at run time",
    ),
    "Squeeze of what is 1": ("float[B,6,1,9] x", "a = Squeeze (x)", AXES),
    "Reshape": (
        "float[6,9] x, int64[2] n",
        "a = Reshape (x, n)",
        "the shape that Reshape 'a' makes is only known at run time",
    ),
    "through others": (
        "float[12,9] x, int64[2] n",
        "c, b = Split <axis=0> (x, n) r = Relu (c) a = Neg (r)",
        "the lengths of Split 'c' are only known at run time",
    ),
}
"""By the operator that decides: inputs, how a product's operand `a` comes about, and the reason."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_only_a_run_tells_has_its_reason(name: str) -> None:
    inputs, nodes, reason = UNKNOWN[name]
    text = f"{HEAD} g ({inputs}) => (float y) {{ {nodes} y = MatMul (a, w) }}"
    model = parse(text, w=np.ones((9, 10), np.float32))
    typed = ir.from_proto(model)
    InferShapes()(typed)
    (product,) = contractions(typed)
    assert reason in (product.cause, (product.reason or "").split(": ", 1)[-1])
    (row,) = onnxtile.check(model, (4, 16, 16)).contractions
    assert row.status == "unknown"
    assert reason in str(row.reason)
    assert reason in str(onnxtile.profile(model).nodes[-1].macs)


def stale(claim: list[int | str | None]) -> onnx.ModelProto:
    """Two products of N rows, between which value_info says something else."""
    model = parse(
        f"{HEAD} g (float[N,9] x) => (float[N,7] y) {{ h = MatMul (x, w) a = Relu (h) y = MatMul (a, v) }}",
        w=np.ones((9, 10), np.float32),
        v=np.ones((10, 7), np.float32),
    )
    model.graph.value_info.extend([INFO("h", FLOAT, claim), INFO("a", FLOAT, claim)])
    return model


@pytest.mark.parametrize("claim", [[1, 10], ["M", None], ["M", 10], [3, "K"], [0, 10]], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_declared_shapes_that_are_stale_count_for_nothing(claim: list[int | str | None], form: str) -> None:
    model = stale(claim)
    rows = onnxtile.check(model, (4, 16, 16)).contractions
    assert [(row.m, row.k, row.n, row.status) for row in rows] == [("N", 9, 10, "unknown"), ("N", 10, 7, "unknown")]
    lowered = onnxtile.lower(model, (4, 4, 4), form=form)
    x = np.arange(54, dtype=np.float32).reshape(6, 9)
    np.testing.assert_array_equal(run_onnxruntime(lowered, {"x": x})[0], run_onnxruntime(model, {"x": x})[0])


def test_a_declared_shape_that_holds_is_kept() -> None:
    model = stale(["N", 10])
    lowered = onnxtile.lower(model, (4, 4, 4), form="batched")
    assert list(lowered.graph.value_info)[:2] == list(model.graph.value_info)


def test_the_word_of_an_operator_that_nobody_knows_is_taken() -> None:
    graph = helper.make_graph(
        [helper.make_node("Own", ["x"], ["h"], domain="own"), helper.make_node("MatMul", ["h", "w"], ["y"], "p")],
        "g",
        [INFO("x", FLOAT, ["N", 9])],
        [INFO("y", FLOAT, None)],
        [numpy_helper.from_array(np.ones((10, 7), np.float32), "w")],
        value_info=[INFO("h", FLOAT, [5, 10])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    row = next(row for row in onnxtile.check(model, (8, 16, 16)).contractions if row.name == "p")
    assert (row.m, row.k, row.n, row.status) == (5, 10, 7, "fits")


LOOP = """g (float[1,9] x, int64 n) => (float[a,9] y, float[b,1,9] z) {{
    go = Constant <value: tensor = bool {{1}}> ()
    y, z = Loop (n, go, x) <body = b (int64 i, bool c, float{said} s) => (bool d, float t, float u) {{
        d = {condition}
        {turn}
        u = MatMul (s, w)
    }}>
}}"""


@pytest.mark.parametrize("said", ["", "[1,9]"])
@pytest.mark.parametrize(
    ("turn", "inside", "outside"),
    [
        ("t = Neg (s)", "[1,9]", "[1,9]"),
        ("t = Concat <axis=0> (s, s)", "[None,9]", "[None,9]"),
        ("t = Squeeze (s)", "None", "None"),
        ("e = Identity (s) t = Concat <axis=0> (e, e)", "[None,9]", "[None,9]"),
    ],
)
def test_what_a_loop_carries_keeps_what_each_turn_keeps(said: str, turn: str, inside: str, outside: str) -> None:
    text = LOOP.format(said=said, turn=turn, condition="Identity (c)")
    model = ir.from_proto(parse(f"{HEAD} {text}", w=np.ones((9, 9), np.float32)))
    InferShapes()(model)
    loop = next(node for node in model.graph if node.op_type == "Loop")
    assert str(loop.attributes["body"].as_graph().inputs[2].shape) == inside
    assert str(loop.outputs[0].shape) == outside


@pytest.mark.parametrize(("condition", "turns"), [("Identity (c)", "4"), ("Less (i, four)", "None")])
def test_a_stack_is_as_long_as_the_turns_that_are_sure(condition: str, turns: str) -> None:
    text = LOOP.format(said="", turn="t = Neg (s)", condition=condition).replace(", int64 n)", ")")
    values = found(text, w=np.ones((9, 9), np.float32), n=np.array(4, np.int64), four=np.array(2, np.int64))
    assert str(values["z"].shape) == f"[{turns},1,9]"


def test_one_branch_of_unknown_shape_leaves_the_whole_unknown() -> None:
    values = found(
        """g (bool c, float[2,9] x, int64[k] s) => (float y) {
            y = If (c) <then_branch = a () => (float t) { t = Neg (x) },
                        else_branch = b () => (float e) { e = Reshape (x, s) }>
        }"""
    )
    assert values["y"].shape is None


def test_calls_of_one_function_differ() -> None:
    """What value_info inside a function says is one call's."""
    model = parse(
        f"""{HEAD[:-1]}, "local": 1]>""".replace("]]", "]").replace("20]", "20")
        + """ g (float[N,9] x, float[2,9] z) => (float y, float q) { y = local.layer (x, w) q = local.layer (z, w) }
        <domain: "local", opset_import: ["" : 20]> layer (a, b) => (d) { c = Neg (a) d = MatMul (c, b) }""",
        w=np.ones((9, 10), np.float32),
    )
    model.functions[0].value_info.append(INFO("c", FLOAT, [1, 9]))
    assert [row.m for row in onnxtile.check(model, (4, 16, 16)).contractions] == ["N", 2]


def test_two_sources_that_contradict_leave_a_size_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of the library that is made to err is found out by onnx's."""
    from onnx_shape_inference import registry

    from onnxtile.passes.shape_inference import library

    def errs(context: object, node: ir.Node) -> None:
        node.outputs[0].shape = ir.Shape([3, 10])

    library.install()
    held: Callable[..., None] = library.held(errs)
    real = registry.get
    monkeypatch.setattr(
        registry, "get", lambda domain, op, version: held if op == "Relu" else real(domain, op, version)
    )
    text = "g (float[2,9] x) => (float y, float z) { r = Relu (x) y = Neg (r) z = MatMul (y, w) }"
    values = found(text, w=np.ones((9, 4), np.float32))
    assert str(values["y"].shape) == "[None,None]"
    assert values["z"].meta["onnxtile.unknown"] == (
        "onnx's inference finds 2 elements at Relu 'r', onnx_shape_inference 3"
    )


def test_sizes_by_scales_are_those_of_the_engine() -> None:
    """Engines multiply in float32, where 30 * 0.7 is 21 and onnx's own inference finds 20."""
    sizes, scales = range(1, 40), (0.1, 0.3, 0.7, 1.1, 2.3, 1 / 3)
    names = [f"{size}_{place}" for size in sizes for place, _ in enumerate(scales)]
    inputs = ", ".join(f"float[{size}] x{size}" for size in sizes)
    nodes = " ".join(f"y{name} = Resize (x{name.split('_')[0]}, , s{name[-1]})" for name in names)
    model = parse(
        f"{HEAD} g ({inputs}) => ({', '.join(f'float[n{name}] y{name}' for name in names)}) {{ {nodes} }}",
        **{f"s{place}": np.array([scale], np.float32) for place, scale in enumerate(scales)},
    )
    typed = ir.from_proto(model)
    InferShapes()(typed)
    real = run_onnxruntime(model, {f"x{size}": np.zeros(size, np.float32) for size in sizes})
    known = [(value, len(array)) for value, array in zip(typed.graph.outputs, real, strict=True)]
    known = [(value, length) for value, length in known if value.shape is not None and value.shape.is_static()]
    assert [str(value) for value, length in known if value.shape != (length,)] == []
    assert len(known) > 0.9 * len(names)


@pytest.mark.parametrize(
    "node",
    [
        "a = Slice <starts = [0], ends = [1], axes = [1]> (x) b = Squeeze <axes = [1]> (a)",
        "a, i = TopK <axis = 1, k = 1> (x) b = Squeeze <axes = [1]> (a)",
    ],
)
def test_old_versions_that_one_library_has_no_rule_for_keep_what_onnx_finds(node: str) -> None:
    text = '<ir_version: 4, opset_import: ["" : 9]> g (float[N,4,9] x, float[9,5] w) => (float[a,b] y)'
    (row,) = onnxtile.check(parse(f"{text} {{ {node} y = MatMul (b, w) }}"), (4, 4, 4)).contractions
    assert (row.m, row.k, row.n) == (None, 9, 5)


@pytest.mark.parametrize(
    ("node", "columns"),
    [
        ("Scaler <offset = [0.0], scale = [1.0]> (x)", 5),
        ("Imputer <imputed_value_floats = [0.0]> (x)", 5),
        ("Normalizer (x)", 5),
        ("FeatureVectorizer <inputdimensions = [5, 3]> (x, z)", 8),
    ],
)
def test_preparing_of_features_keeps_its_free_rows(node: str, columns: int) -> None:
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]>
        g (float[N,5] x, float[N,3] z) => (float[a,b] y) {{ f = ai.onnx.ml.{node} y = MatMul (f, w) }}""",
        w=np.ones((columns, 9), np.float32),
    )
    (row,) = [row for row in onnxtile.check(model, (4, 4, 4)).contractions if row.op == "MatMul"]
    assert (row.m, row.k, row.n) == ("N", columns, 9)
    (real,) = run_onnxruntime(model, {"x": np.ones((2, 5), np.float32), "z": np.ones((2, 3), np.float32)})
    assert real.shape == (2, 9)


@pytest.mark.parametrize("node", ["DynamicQuantizeMatMul (x, v, s)", "MatMulIntegerToFloat (q, v, s, s)"])
def test_quantized_products_of_the_engine_have_their_rows(node: str) -> None:
    """What the file says of them counts for nothing."""
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[N,8] x, uint8[N,8] q) => (float[a,b] y) {{ f = com.microsoft.{node} y = MatMul (f, w) }}""",
        v=np.ones((8, 5), np.int8),
        s=np.float32(0.5),
        w=np.ones((5, 9), np.float32),
    )
    model.graph.value_info.append(INFO("f", FLOAT, [1, 5]))
    assert [(row.m, row.k, row.n) for row in onnxtile.check(model, (4, 4, 4)).contractions] == [
        ("N", 8, 5),
        ("N", 5, 9),
    ]
